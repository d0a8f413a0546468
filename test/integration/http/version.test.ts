import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { readMetrics } from '../../support/read-metrics.ts';

const ROOT = join(import.meta.dirname, '../../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

test.each(['--version', '-v', 'version'])('%s prints the version, with any settings', async (argument) => {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), argument], {
    env: { PORT: 'none' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(child.stdout)).toBe(`sluice ${version} (Node ${process.version})\n`);
});

test('a running broker has its version in its first log line and in its metrics', async () => {
  const broker = await startBroker();
  const [first = ''] = broker.log();
  expect(JSON.parse(first)).toMatchObject({ msg: 'sluice is listening', version });
  const series = `sluice_build_info{version="${version}",node="${process.version}"}`;
  expect((await readMetrics(broker.url)).get(series)).toBe(1);
  await broker.kill();
});
