// Publishes a random figure every second. The page reads it through a proxy that cuts silent streams.
import { createApp, createToken, listen, publisher } from '../example-backend.mjs';
import { startProxy } from './proxy.mjs';

const FIGURE_MS = 1_000;

const proxy = await startProxy();
const app = await createApp(import.meta.dirname);
app.get('/proxy', () => proxy);
app.get('/token', () => createToken({ subscribe: ['figures'] }));

let publishing = true;
app.post('/publishing', (request, reply) => {
  publishing = request.body.on === true;
  reply.send({ publishing });
});

let visitors = 500;
setInterval(() => {
  if (!publishing) return;
  visitors = Math.max(0, visitors + Math.round((Math.random() - 0.5) * 60));
  // The publisher tries again for 30 s. An older figure is of no use then.
  publisher.publish('figures', { visitors }).catch((error) => console.error(error.message));
}, FIGURE_MS);

await listen(app);
