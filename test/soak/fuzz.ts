import { parseArgs } from 'node:util';
import { fuzz } from './fuzzer.ts';

/**
 * Random nonsense on raw sockets for as long as one likes: right requests with mistakes in them, noise, pieces, uploads
 * broken off. Ends with exit code 1 when the broker is not healthy afterwards.
 *
 * npm run fuzz -- --seconds 60 --seed 1
 */
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
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
process.exit(faults.length === 0 ? 0 : 1);
