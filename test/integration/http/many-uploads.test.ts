import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { openUpload } from '../../support/upload.ts';
import type { RawUpload } from '../../support/upload.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  await broker.kill();
});

test.each([
  ['line', 'x'.repeat(999_999)],
  ['event', 'data: xy\n'.repeat(110_000)],
])('each=%s: many large events without an end take bounded memory', async (each, part) => {
  const stream = await openStream(`${broker.url}/events/small.${each}`);
  await stream.until('sluice:ready');
  const small = await openUpload(broker, `small.${each}?each=line`);
  const uploads: RawUpload[] = [];
  const refused: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    const upload = await openUpload(broker, `large.${each}.${i}?each=${each}`);
    upload.send(part);
    uploads.push(upload);
    refused.push(upload.answer());
  }
  const answer = (await Promise.any(refused)) as Awaited<ReturnType<RawUpload['answer']>>;
  const { code, members } = readProblem(answer, 503);
  expect([code, members]).toEqual(['log-unavailable', { published: 0 }]);
  // Events of a usual size are published all the same.
  small.send('a\n');
  expect((await stream.next()).data).toBe('a');
  expect(JSON.parse((await small.finish()).body)).toMatchObject({ published: 1 });
  for (const upload of uploads) upload.cut();
  await Promise.allSettled(refused);
  // The room is free again.
  await expect
    .poll(async () => {
      const again = await openUpload(broker, `again.${each}?each=${each}`);
      again.send(`${part}\n\n`);
      return (await again.finish()).status;
    })
    .toBe(200);
  stream.close();
});
