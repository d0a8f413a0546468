// The chart's test: publishes an event to a broker and reads it back. Runs in the broker's own image.
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

/** A stream of the channel; with a token where not everybody may listen. */
async function subscribe(): Promise<Response> {
  const open = await listen({});
  if (open.status !== 401 && open.status !== 403) return open;
  const answer = await post('/tokens', { subscribe: [channel], ttl: 60 });
  if (!answer.ok) throw new Error(`Listening takes a token, and POST /tokens: ${await said(answer)}`);
  const { token } = (await answer.json()) as { readonly token: string };
  return await listen({ authorization: `Bearer ${token}` });
}

async function said(response: Response): Promise<string> {
  return `${response.status} ${await response.text()}`;
}

if (key === '') throw new Error('There is no publish key: SLUICE_PUBLISH_KEYS is not in the Secret.');
const stream = await subscribe();
if (stream.status !== 200 || stream.body === null) throw new Error(`GET /events: ${await said(stream)}`);

let received = '';
let published = false;
for await (const text of stream.body.pipeThrough(new TextDecoderStream())) {
  received += text;
  if (!published && received.includes('event: sluice:ready')) {
    const answer = await post('/publish', { channel, data });
    if (!answer.ok) throw new Error(`POST /publish: ${await said(answer)}`);
    console.log(`published: ${await answer.text()}`);
    published = true;
  }
  if (received.includes(`data: ${data}\n`)) {
    console.log('received it');
    process.exit(0);
  }
}
throw new Error(`The stream ended before the event arrived. It said:\n${received}`);
