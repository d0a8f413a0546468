import { parseArgs } from 'node:util';
import { startRedis } from '../support/redis-server.ts';
import { fuzz } from './fuzzer.ts';
import { pressure } from './pressure.ts';
import type { Pressure } from './pressure.ts';

/**
 * Sends random bytes on raw sockets for as long as you like: valid requests with mistakes in them, noise, pieces,
 * incomplete uploads. Then sends hostile heads, bodies and cursors of growing size, each for `--each` ms, while an
 * honest reader, an honest publisher and a probe measure how long they wait. `--redis` uses a new Redis. The exit code
 * is 1 when the broker is not healthy afterwards, or when the honest reader missed an event.
 *
 * npm run fuzz -- --seconds 60 --seed 1 --each 1500 --redis
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    each: { type: 'string', default: '1500' },
    redis: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

process.stdout.write(`${seconds} s, seed ${seed}\n`);
const { cases, answers, memory, faults } = await fuzz(seed, (_cases, elapsed) => elapsed < seconds * 1_000);
const tally = [...answers]
  .toSorted(([a], [b]) => a - b)
  .map(([status, count]) => `${status || 'none'}: ${count}`);
process.stdout.write(`${cases} connections; first answers ${tally.join(', ')}\n`);
process.stdout.write(`memory afterwards ${Math.round(memory / 1024 ** 2)} MiB\n`);
for (const fault of faults.slice(0, 20)) process.stdout.write(`${fault}\n`);
process.stdout.write(
  faults.length === 0 ? 'healthy\n' : `not healthy: --seed ${seed} begins like this again\n`,
);

const missed = Number(values.each) > 0 ? await underPressure(Number(values.each)) : 0;
process.exit(faults.length === 0 && missed === 0 ? 0 : 1);

/** Prints a table of the longest waits of the honest clients; returns how many events they missed. */
async function underPressure(each: number): Promise<number> {
  process.env['TEST_REDIS'] ??= 'local';
  const redis = values.redis ? await startRedis() : undefined;
  process.stdout.write(
    '\n| hostile input | size | publish | delivery | `/livez` |\n| --- | ---: | ---: | ---: | ---: |\n',
  );
  const all = await pressure({
    each,
    ...(redis !== undefined && { env: { REDIS_URL: redis.url } }),
    onMeasured: (measured) => process.stdout.write(rowOf(measured)),
  });
  await redis?.stop();
  return all.reduce((sum, { delays }) => sum + delays.missing, 0);
}

function rowOf({ input, size, delays }: Pressure): string {
  const shown = input.unit === 'readers' ? `${size} readers` : `${Math.round(size / 1024)} KiB`;
  const ms = [delays.publish, delays.delivery, delays.probe].map((delay) => `${Math.round(delay)} ms`);
  return `| ${input.name} | ${shown} | ${ms.join(' | ')} |\n`;
}
