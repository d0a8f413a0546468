// Takes the messages of the pages, and publishes them to the channels of the rooms.
import { SLUICE_URL, createApp, createToken, listen, publisher } from '../example-backend.mjs';

const ROOMS = ['lobby', 'garden', 'kitchen'];

const room = { type: 'object', properties: { room: { enum: ROOMS } } };
/** Not blank. An application would take the name from the session of its user. */
const text = (maxLength) => ({ type: 'string', maxLength, pattern: '\\S' });
const name = text(30);

const app = await createApp(import.meta.dirname);

/** The token lets a page read all rooms. A page cannot publish: what people say goes through this backend. */
app.get('/access', async () => ({
  broker: SLUICE_URL,
  rooms: ROOMS,
  token: await createToken({ subscribe: ['rooms.*', 'typing.*'] }),
}));

app.post(
  '/rooms/:room/messages',
  {
    bodyLimit: 8_192,
    schema: {
      params: room,
      headers: {
        type: 'object',
        required: ['idempotency-key'],
        properties: { 'idempotency-key': { type: 'string', pattern: '^[\\w-]{1,64}$' } },
      },
      body: { type: 'object', required: ['name', 'text'], properties: { name, text: text(500) } },
    },
  },
  async ({ params, headers, body }, reply) => {
    // The page repeats a message whose answer was lost, with the same key: the room then has the message once.
    const options = { event: 'message', idempotencyKey: headers['idempotency-key'] };
    const message = { name: body.name, text: body.text };
    const { id } = await publisher.publish(`rooms.${params.room}`, message, options);
    return reply.code(201).send({ id });
  },
);

app.post(
  '/rooms/:room/typing',
  { schema: { params: room, body: { type: 'object', required: ['name'], properties: { name } } } },
  async ({ params, body }, reply) => {
    // The broker keeps nothing of these channels (SLUICE_CHANNELS), so nobody sees an old notice.
    await publisher.publish(`typing.${params.room}`, { name: body.name }, { event: 'typing' });
    return reply.code(204).send();
  },
);

await listen(app);
