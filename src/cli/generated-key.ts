import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';

/** Where the key of this run is left for whoever works in the same folder. */
const KEY_FILE = '.publish-key';

/**
 * Makes a publish key for this run, when none is set: publishing is never open. It is left in a file that only this
 * user can read, so that a line such as `curl -H "Authorization: Bearer $(cat .publish-key)"` works as it stands;
 * where the folder cannot be written to, the log line has to do.
 */
export function generateKey(): { readonly key: string; readonly file: string | undefined } {
  const key = randomBytes(24).toString('base64url');
  try {
    rmSync(KEY_FILE, { force: true });
    writeFileSync(KEY_FILE, `${key}\n`, { mode: 0o600, flag: 'wx' });
    process.once('exit', removeFile);
    return { key, file: KEY_FILE };
  } catch {
    // On a full disk there may be an empty one.
    removeFile();
    return { key, file: undefined };
  }
}

function removeFile(): void {
  try {
    rmSync(KEY_FILE, { force: true });
  } catch {
    // The folder cannot be written to any more.
  }
}
