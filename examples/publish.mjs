// Publishes one event exactly once, even when an answer is lost:
//
//   SLUICE_KEY=$(cat .publish-key) node examples/publish.mjs <channel> <data> [<event>]
//
// With SLUICE_CLOSE=true the event is the last one of its channel.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

const { SLUICE_URL = 'http://localhost:3000', SLUICE_KEY, SLUICE_CLOSE } = process.env;
const ATTEMPTS = 10;
// Passing failures: too many publishes, the log is down, or a proxy found no broker.
const PASSING = new Set([429, 502, 503, 504]);

/** Resolves with the event's channel and id once the event is in the log. */
async function publish(event) {
  // Every attempt has the same key: after a 503, or without an answer, the event may have been published.
  const idempotencyKey = randomUUID();
  for (let attempt = 1; ; attempt++) {
    const answer = await post(event, idempotencyKey).catch((error) => ({ error, text: String(error) }));
    if (answer.status === 200) return JSON.parse(answer.text);
    const passing = answer.error !== undefined || PASSING.has(answer.status);
    if (!passing || attempt === ATTEMPTS) {
      throw new Error(`not published, ${answer.status ?? 'no answer'}: ${answer.text}`);
    }
    await delay(Math.max(answer.retryAfter ?? 0, Math.random() * Math.min(2 ** attempt * 100, 10_000)));
  }
}

async function post(event, idempotencyKey) {
  const response = await fetch(`${SLUICE_URL}/publish`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${SLUICE_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
    },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(5_000),
  });
  const retryAfter = Number(response.headers.get('retry-after')) * 1_000;
  return { status: response.status, text: await response.text(), retryAfter };
}

const [channel, data, event] = process.argv.slice(2);
if (!SLUICE_KEY || data === undefined) {
  console.error('usage: SLUICE_KEY=<a publish key> publish.mjs <channel> <data> [<event>]');
  process.exit(2);
}
try {
  const close = SLUICE_CLOSE ? true : undefined;
  console.log(JSON.stringify(await publish({ channel, data, event, close })));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
