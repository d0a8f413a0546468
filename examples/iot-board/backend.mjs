// Publishes what sensors measure. Each device has a key, so the broker keeps its newest values for pages that come later.
import { createApp, createToken, listen, publisher } from '../example-backend.mjs';

const devices = [
  { device: 'kitchen', everyMs: 1_000, temperature: 22, humidity: 48 },
  { device: 'bathroom', everyMs: 2_000, temperature: 24, humidity: 62 },
  { device: 'greenhouse', everyMs: 3_000, temperature: 29, humidity: 81 },
  { device: 'garage', everyMs: 5_000, temperature: 12, humidity: 55 },
  // A page that comes between two of its reports knows its values from the state alone.
  { device: 'cellar', everyMs: 60_000, temperature: 9, humidity: 70 },
];
const unplugged = new Set();

const report = (error) => console.error(error.message);
const drift = (value, least, most) =>
  Math.min(most, Math.max(least, Math.round((value + Math.random() * 2 - 1) * 10) / 10));

function measure(device) {
  if (unplugged.has(device)) return;
  device.temperature = drift(device.temperature, -10, 40);
  device.humidity = drift(device.humidity, 0, 100);
  const { device: name, temperature, humidity } = device;
  const data = { device: name, temperature, humidity, time: Date.now() };
  publisher.publish('sensors', data, { event: 'sensor-data', key: name }).catch(report);
}

for (const device of devices) {
  measure(device);
  setInterval(measure, device.everyMs, device);
}

const app = await createApp(import.meta.dirname);
app.get('/token', () => createToken({ subscribe: ['sensors'] }));
app.post('/unplug', async (request, reply) => {
  const device = devices.find(({ device: name }) => name === request.body.device);
  if (device === undefined) return reply.code(404).send();
  unplugged.add(device);
  await publisher.publish('sensors', undefined, { key: device.device, delete: true });
  return reply.send();
});
app.post('/plug', (_request, reply) => {
  const returning = [...unplugged];
  unplugged.clear();
  returning.forEach(measure);
  reply.send();
});
await listen(app);
