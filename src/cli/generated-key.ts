import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Holds the key of this run, in the folder where the broker was started. */
const KEY_FILE = '.publish-key';

/** Makes a publish key for this run. Publishing always needs a credential, even when no key is set. */
export function generateKey(): string {
  return randomBytes(24).toString('base64url');
}

/**
 * Writes the key to a file that only this user can read, so that `curl -H "Authorization: Bearer $(cat .publish-key)"` works.
 * Call it only after the broker listens: a second broker that fails on the same port must not replace the first one's key.
 * Returns the file's name, or undefined when the folder is not writable.
 */
export function writeKeyFile(key: string): string | undefined {
  const text = `${key}\n`;
  try {
    rmSync(KEY_FILE, { force: true });
    writeFileSync(KEY_FILE, text, { mode: 0o600, flag: 'wx' });
    process.once('exit', () => removeFile(text));
    return KEY_FILE;
  } catch {
    // A full disk may leave an empty file.
    removeFile('');
    return undefined;
  }
}

/** Removes the file only if it holds this text. Another broker may have replaced it. */
function removeFile(text: string): void {
  try {
    if (readFileSync(KEY_FILE, 'utf8') === text) rmSync(KEY_FILE, { force: true });
  } catch {
    // The file does not exist, or the folder is no longer writable.
  }
}
