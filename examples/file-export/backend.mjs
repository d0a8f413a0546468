// Prepares files. Each export has a channel of its own, `exports.<id>`, which ends together with the export.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SLUICE_URL, createApp, createToken, listen, publisher } from '../example-backend.mjs';

const ROWS = 10_000;
const STEPS = 40;
const STEP_MS = Number(process.env.STEP_MS ?? 200);
const MAX_EXPORTS = 100;

/** Each export by its id: how to cancel it, and the file once it is complete. An application would keep the files in its storage. */
const exports = new Map();

/** Writes the file step by step, and publishes how far it is. The last event says how it ended, and ends the channel. */
async function run(id, { cancel, fails }) {
  const { signal } = cancel;
  const lines = ['order,total'];
  try {
    for (let step = 1; step <= STEPS; step++) {
      await delay(STEP_MS, undefined, { signal });
      if (fails && step === STEPS / 2) throw new Error('the database has closed the connection.');
      while (lines.length <= (ROWS * step) / STEPS) lines.push(`${lines.length},${(lines.length * 7) % 500}`);
      await tell(id, 'progress', { rows: lines.length - 1, of: ROWS });
    }
  } catch (error) {
    const [event, reason] = signal.aborted
      ? ['cancelled', 'Somebody has cancelled it.']
      : ['failed', error.message];
    return await tell(id, event, { reason }, { close: true });
  }
  exports.get(id).file = lines.join('\n');
  await tell(id, 'complete', { link: `/exports/${id}/orders.csv` }, { close: true });
}

/** All events of an export have the same key, so a page that comes later gets only the newest one. */
async function tell(id, event, data, options) {
  await publisher.publish(`exports.${id}`, data, { event, key: 'export', ...options });
}

const app = await createApp(import.meta.dirname);

app.post('/exports', async (request, reply) => {
  const id = randomUUID();
  const job = { cancel: new AbortController(), fails: request.query.fails !== undefined };
  await tell(id, 'progress', { rows: 0, of: ROWS });
  exports.set(id, job);
  const [oldest] = exports.keys();
  if (exports.size > MAX_EXPORTS) {
    exports.get(oldest).cancel.abort();
    exports.delete(oldest);
  }
  run(id, job).catch((error) => console.error(error));
  return reply.code(201).send({ id });
});

app.register(async (known) => {
  known.addHook('onRequest', async (request, reply) => {
    request.job = exports.get(request.params.id);
    if (request.job === undefined) return reply.code(404).send({ message: 'There is no such export.' });
  });
  known.get('/exports/:id/access', async ({ params }) => ({
    broker: SLUICE_URL,
    token: await createToken({ subscribe: [`exports.${params.id}`] }),
  }));
  known.delete('/exports/:id', async ({ job }, reply) => {
    job.cancel.abort();
    return reply.code(204).send();
  });
  known.get('/exports/:id/orders.csv', async ({ job }, reply) =>
    job.file === undefined
      ? reply.code(404).send()
      : reply.type('text/csv').header('content-disposition', 'attachment').send(job.file),
  );
});

await listen(app);
