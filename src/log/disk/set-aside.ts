import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RevocationTable } from './revocation-table.ts';
import { DATABASE_FILE } from './schema.ts';
import type { StoredRevocation } from './storage.ts';

/** Revocations in one page. */
const PAGE = 1_000;
const DAMAGED = `${DATABASE_FILE}.damaged-`;

/**
 * Renames the files of a damaged database, which is closed, so that a new one can begin. Removes the files of an earlier damaged one.
 * @returns the new name
 */
export function setAside(folder: string): string {
  for (const file of readdirSync(folder)) if (file.startsWith(DAMAGED)) rmSync(join(folder, file));
  const name = `${DAMAGED}${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  renameSync(join(folder, DATABASE_FILE), join(folder, name));
  // SQLite finds the write-ahead log of a file by its name.
  try {
    renameSync(join(folder, `${DATABASE_FILE}-wal`), join(folder, `${name}-wal`));
  } catch {
    // There is none.
  }
  rmSync(join(folder, `${DATABASE_FILE}-shm`), { force: true });
  return name;
}

/** Reads the revocations of a damaged database, as far as they can be read. */
export function readableRevocations(table: RevocationTable): StoredRevocation[] {
  const found: StoredRevocation[] = [];
  try {
    let page: readonly StoredRevocation[];
    do found.push(...(page = table.page(found.at(-1)?.key ?? '', PAGE)));
    while (page.length === PAGE);
  } catch {
    // The rest is lost.
  }
  return found;
}
