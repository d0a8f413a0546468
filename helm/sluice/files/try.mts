// The chart's test: publishes an event to a broker and reads it back. Runs in the broker's image.
import process from 'node:process';

const url = process.env['URL'] ?? '';
const key = (process.env['PUBLISH_KEYS'] ?? '').split(',', 1).join('').trim();
const channel = `helm-test.${crypto.randomUUID()}`;
const data = crypto.randomUUID();
const signal = AbortSignal.timeout(20_000);

function post(path: string, body: object): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  return fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body), signal });
}

function listen(headers: Record<string, string>): Promise<Response> {
  return fetch(`${url}/events/${channel}`, { headers, signal });
}

/** Opens a stream of the channel. Makes a token when the channel is not public. */
async function subscribe(): Promise<Response> {
  const open = await listen({});
  if (open.status !== 401 && open.status !== 403) return open;
  const answer = await post('/tokens', { subscribe: [channel], ttl: 60 });
  if (!answer.ok)
    throw new Error(`Subscribing needs a token, but POST /tokens failed: ${await describe(answer)}`);
  const { token } = (await answer.json()) as { readonly token: string };
  return await listen({ authorization: `Bearer ${token}` });
}

async function describe(response: Response): Promise<string> {
  return `${response.status} ${await response.text()}`;
}

if (key === '') throw new Error('There is no publish key: SLUICE_PUBLISH_KEYS is not in the Secret.');
const stream = await subscribe();
if (stream.status !== 200 || stream.body === null)
  throw new Error(`GET /events failed: ${await describe(stream)}`);

let received = '';
let published = false;
for await (const text of stream.body.pipeThrough(new TextDecoderStream())) {
  received += text;
  if (!published && received.includes('event: sluice:ready')) {
    const answer = await post('/publish', { channel, data });
    if (!answer.ok) throw new Error(`POST /publish failed: ${await describe(answer)}`);
    console.log(`published: ${await answer.text()}`);
    published = true;
  }
  if (received.includes(`data: ${data}\n`)) {
    console.log('received the event');
    process.exit(0);
  }
}
throw new Error(`The stream ended before the event arrived. It held:\n${received}`);
