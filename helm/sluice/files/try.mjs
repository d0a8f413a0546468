// Publishes an event to a broker and reads it back: the chart's test. Runs in the broker's own image.
const url = process.env.URL;
const key = (process.env.PUBLISH_KEYS ?? '').split(',')[0].trim();
const channel = `helm-test.${crypto.randomUUID()}`;
const signal = AbortSignal.timeout(20_000);

if (key === '') throw new Error('There is no publish key: SLUICE_PUBLISH_KEYS is not in the Secret.');

const post = (path, body) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });

const listen = (token) =>
  fetch(`${url}/events/${channel}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal,
  });

/** A stream of the channel; with a token where not everybody may listen. */
async function subscribe() {
  const open = await listen();
  if (open.status !== 401 && open.status !== 403) return open;
  const answer = await post('/tokens', { subscribe: [channel], ttl: 60 });
  if (!answer.ok) {
    throw new Error(`Nobody may listen to ${channel} without a token, and POST /tokens: ${await said(answer)}`);
  }
  return await listen((await answer.json()).token);
}

const said = async (response) => `${response.status} ${await response.text()}`;

const stream = await subscribe();
if (stream.status !== 200) throw new Error(`GET /events: ${await said(stream)}`);
const expected = crypto.randomUUID();
let received = '';
let published = false;
for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
  received += chunk;
  if (!published && received.includes('event: sluice:ready')) {
    const answer = await post('/publish', { channel, data: expected });
    if (!answer.ok) throw new Error(`POST /publish: ${await said(answer)}`);
    console.log(`published: ${await answer.text()}`);
    published = true;
  }
  if (received.includes(`data: ${expected}\n`)) {
    console.log('received it');
    process.exit(0);
  }
}
throw new Error(`The stream ended before the event arrived. It said:\n${received}`);
