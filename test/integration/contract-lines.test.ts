import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { documentShell } from '../support/document-shell.ts';
import { openStream } from '../support/sse-reader.ts';
import { Terminal } from '../support/terminal.ts';

// The shell lines of docs/protocol.md and docs/reliability.md.
const protocol = documentShell('docs/protocol.md', import.meta.filename);
const reliability = documentShell('docs/reliability.md', import.meta.filename);

let broker: Broker;
let terminal: Terminal;
beforeAll(async () => {
  broker = await startBroker();
  terminal = new Terminal({
    clone: true,
    env: { KEY: broker.key },
    replace: [
      // A channel of the broker, with everything that was published, is as good a model.
      ['https://model.example/answer', `'${broker.url}/events/model?last_event_id=earliest'`],
      ['https://events.example', broker.url],
      ['http://127.0.0.1:3000', broker.url],
      ['<publish key>', broker.key],
    ],
  });
});
afterEach(() => terminal.killAll());
afterAll(async () => {
  await broker.stop();
  terminal.remove();
});

test("docs/protocol.md: a model's answer becomes the events of a channel, which then ends", async () => {
  await broker.publish('model', 'word by', 'text');
  const headers = { authorization: `Bearer ${broker.key}` };
  await fetch(`${broker.url}/publish/model?event=text&close=true`, { method: 'POST', headers, body: 'word' });
  const answer = JSON.parse(await terminal.run(protocol('https://model.example/answer'))) as object;
  expect(answer).toMatchObject({ channel: 'answers.7', published: 2 });
  const stream = await openStream(`${broker.url}/events/answers.7?last_event_id=earliest`);
  expect([await stream.next(), await stream.next(), await stream.next()]).toMatchObject([
    { event: 'text', data: 'word by' },
    { event: 'text', data: 'word' },
    { event: 'sluice:end' },
  ]);
});

test('docs/reliability.md: the torture of a server that runs already finds nothing missing', async () => {
  const short = '--scenario drops --seconds 1 --readers 2';
  const table = await terminal.run(`${reliability('--gap-event')} ${short}`);
  expect(table).toContain('drops');
});
