import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Where the key of this run is left for whoever works in the same folder. */
const KEY_FILE = '.publish-key';

/** Makes a publish key for this run, when none is set: publishing is never open. */
export function generateKey(): string {
  return randomBytes(24).toString('base64url');
}

/**
 * Writes the key to a file that only this user can read, so that a line such as
 * `curl -H "Authorization: Bearer $(cat .publish-key)"` works as it stands. Called once the broker listens: one that finds its port
 * taken must not replace the key of the broker that has it. Gives the file's name; undefined where the folder cannot be written to.
 */
export function leaveKey(key: string): string | undefined {
  const text = `${key}\n`;
  try {
    rmSync(KEY_FILE, { force: true });
    writeFileSync(KEY_FILE, text, { mode: 0o600, flag: 'wx' });
    process.once('exit', () => removeFile(text));
    return KEY_FILE;
  } catch {
    // On a full disk there may be an empty one.
    removeFile('');
    return undefined;
  }
}

/** Removes the file if it holds this text, and not what another broker has written since. */
function removeFile(text: string): void {
  try {
    if (readFileSync(KEY_FILE, 'utf8') === text) rmSync(KEY_FILE, { force: true });
  } catch {
    // There is none, or the folder cannot be written to any more.
  }
}
