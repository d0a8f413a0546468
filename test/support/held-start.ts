import { execFileSync } from 'node:child_process';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, startBroker } from './broker.ts';
import type { Broker } from './broker.ts';

const KEYS = 'the-key-of-the-tests';

/** A broker in the middle of its start: it waits for its publish keys. */
export interface HeldStart {
  readonly pid: number;
  /** Gives it the keys, and resolves once it listens. */
  go(): Promise<Broker>;
}

/** Starts a broker that reads its publish keys from a pipe. Resolves when it waits for them. */
export async function startHeld(env: Readonly<Record<string, string>> = {}): Promise<HeldStart> {
  const folder = await dataFolder();
  const pipe = join(folder.path, 'keys');
  execFileSync('mkfifo', [pipe]);
  let pid = 0;
  const started = startBroker(
    { ...env, SLUICE_PUBLISH_KEYS: '', SLUICE_PUBLISH_KEYS_FILE: pipe },
    (one) => (pid = one),
  );
  const keys = await open(pipe, 'w');
  return {
    pid,
    async go() {
      await keys.writeFile(KEYS);
      // Whoever reads the settings again gets the keys from a file, which does not wait for anyone.
      await writeFile(`${pipe}.txt`, KEYS);
      await rename(`${pipe}.txt`, pipe);
      await keys.close();
      const broker = await started;
      void broker.exit.then(() => folder.remove());
      return broker;
    },
  };
}
