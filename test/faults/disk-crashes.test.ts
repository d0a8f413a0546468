import { afterEach, describe, expect, test, vi } from 'vitest';
import { dataFolder } from '../support/broker.ts';
import { crashRounds } from '../support/crash-rounds.ts';
import { Disk } from '../support/disk.ts';
import { LogReader } from '../support/log-reader.ts';
import { Stage } from '../support/stage.ts';

/** A longer run by hand: ROUNDS=200 SEED=7 npm test -- test/faults/disk-crashes.test.ts */
const rounds = (few: number): number => Number(process.env['ROUNDS'] ?? few);
const seed = Number(process.env['SEED'] ?? 1);
vi.setConfig({ testTimeout: 60_000 + 20_000 * rounds(0) });

describe('kill -9 at random moments, under 32 publishers and 8 readers', () => {
  test.each([
    { sync: 'always', few: 3 },
    { sync: '1s', few: 1 },
  ])(
    'loses, repeats and reorders nothing that was acknowledged (SLUICE_SYNC=$sync)',
    async ({ sync, few }) => {
      const verdict = await crashRounds({ rounds: rounds(few), seed, env: { SLUICE_SYNC: sync } });
      report(verdict);
      expect(verdict.breaches).toEqual([]);
    },
  );
});

describe('power cuts at random moments, which lose what was not synced', () => {
  let disk: Disk;
  afterEach(() => disk.shim.remove());

  test('lose, repeat and reorder nothing that was acknowledged', async () => {
    const verdict = await crashRounds({
      rounds: rounds(3),
      seed,
      prepare: async (folder) => {
        disk = await Disk.under(folder);
        return disk.shim.env;
      },
      whileDown: async (random) => {
        // Sometimes only the process is killed. The next power cut may then lose what that process has not synced.
        if (random() < 0.7) await disk.losePower(random);
      },
    });
    report(verdict);
    expect(verdict.breaches).toEqual([]);
  });
});

test('what readers have got is not lost either, when its sync had failed or was still under way', async () => {
  const folder = await dataFolder();
  const disk = await Disk.under(folder.path);
  const stage = await Stage.onDisk(folder, disk.shim.env);
  const inLog = async (): Promise<unknown[]> => (await LogReader.read(stage.broker(0).url, 'news')).seen;
  const publishing = (text: string): Promise<unknown> =>
    stage
      .broker(0)
      .publish('news', text)
      .catch(() => undefined);
  try {
    for (let i = 0; i < 50; i++) await stage.broker(0).publish('news', `acknowledged-${i}`);
    const before = await inLog();
    disk.shim.breakSyncs();
    await publishing(`its-sync-failed ${'x'.repeat(20_000)}`);
    disk.shim.heal();
    await expect.poll(inLog).toHaveLength(before.length + 1);
    await stage.broker(0).publish('news', 'acknowledged-between');
    disk.shim.breakSyncs();
    await publishing(`its-sync-failed-too ${'x'.repeat(20_000)}`);
    await stage.broker(0).kill();
    disk.shim.heal();
    await stage.revive(0);
    expect(await inLog()).toHaveLength(before.length + 3);
    await stage.broker(0).publish('news', 'acknowledged-later');
    disk.shim.hang();
    const unanswered = publishing('its-sync-hangs');
    await disk.shim.hanging();
    await stage.broker(0).kill();
    await unanswered;
    disk.shim.heal();
    await stage.revive(0);
    const seen = await inLog();
    expect(seen).toHaveLength(before.length + 5);
    await stage.broker(0).kill();
    // Nothing reaches the disk without a sync.
    await disk.losePower(() => 0, 0);
    await stage.revive(0);
    expect(await inLog()).toEqual(seen);
  } finally {
    await stage.close();
    await disk.shim.remove();
  }
});

/** Prints the numbers of a long run. */
function report({ breaches, ...numbers }: Awaited<ReturnType<typeof crashRounds>>): void {
  if (process.env['ROUNDS'] !== undefined) console.log({ ...numbers, breaches: breaches.length });
}
