import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogStore } from '../../../../src/log/disk/log-store.ts';
import { StoreFolder } from '../../../support/store-folder.ts';

let files: StoreFolder;
beforeEach(() => {
  files = new StoreFolder();
  files.append('a', ['x']);
});
afterEach(() => {
  files.remove();
});

function openLog(folder: string): LogStore {
  return new LogStore({
    folder,
    dataBytes: 2 ** 26,
    memoryBytes: 2 ** 24,
    idempotencyTtl: 1,
    revocationTtl: 1,
    onNotice: () => undefined,
  });
}

/** Makes a backup as docs/operations.md says. */
function copyTo(path: string): void {
  const database = new DatabaseSync(join(files.folder, 'sluice.db'));
  database.exec(`VACUUM INTO '${path}'`);
  database.close();
}

/** Opens a folder that cannot be opened. Returns the message. */
function refusal(folder: string): string {
  try {
    openLog(folder).close();
  } catch (error) {
    expect(error).toMatchObject({ name: 'LogStartError' });
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    expect(message).toContain(folder);
    return message;
  }
  throw new Error('The log was opened.');
}

test('a second log in the same folder is refused, and the first goes on', () => {
  expect(refusal(files.folder)).toContain('Another process of Sluice uses the folder');
  files.append('a', ['y']);
  expect(files.data('a')).toEqual(['x', 'y']);
  files.store.close();
  files.open();
  expect(files.data('a')).toEqual(['x', 'y']);
  files.store.close();
});

test('damaged bytes in the file of the lock, or in the witness and the database, keep no log from starting', () => {
  files.store.close();
  writeFileSync(join(files.folder, 'sluice.lock'), 'x'.repeat(5_000));
  files.open();
  expect(refusal(files.folder)).toContain('Another process of Sluice uses the folder');
  expect(files.data('a')).toEqual(['x']);
  files.store.close();
  writeFileSync(join(files.folder, 'sluice.witness'), 'x');
  writeFileSync(join(files.folder, 'sluice.db'), 'x'.repeat(5_000));
  files.open();
  expect(files.notices).toMatchObject([{ kind: 'damaged' }]);
  files.append('a', ['y']);
  files.store.close();
});

test('a folder that is missing, a file, and a folder that cannot be written are refused', () => {
  files.store.close();
  expect(refusal(join(files.folder, 'missing'))).toContain('mkdir -p');
  const file = join(files.folder, 'file');
  writeFileSync(file, '');
  expect(refusal(file)).toContain('is not a folder');
  const closed = join(files.folder, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o555);
  // The superuser may write to it all the same.
  if (process.getuid?.() === 0) mkdirSync(join(closed, 'sluice.lock'));
  expect(refusal(closed)).toContain('cannot be written');
});

test('a file that is no log of Sluice is refused and stays as it is', () => {
  files.store.close();
  const folder = join(files.folder, 'foreign');
  mkdirSync(folder);
  const path = join(folder, 'sluice.db');
  const foreign = new DatabaseSync(path);
  foreign.exec('CREATE TABLE mine (a); INSERT INTO mine VALUES (1)');
  foreign.close();
  expect(refusal(folder)).toContain('is not a log of Sluice');
  const again = new DatabaseSync(path);
  expect(again.prepare('SELECT a FROM mine').get()).toEqual({ a: 1 });
  again.close();
  writeFileSync(path, 'This text is no database. '.repeat(400));
  expect(refusal(folder)).toContain('is not a log of Sluice');
});

test('a log of a newer version is refused, and its own version can open it', () => {
  files.store.close();
  const path = join(files.folder, 'sluice.db');
  const setFormat = (format: number): void => {
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${format}`);
    database.close();
  };
  setFormat(2);
  expect(refusal(files.folder)).toContain('newer version of Sluice');
  setFormat(1);
  files.open();
  expect(files.data('a')).toEqual(['x']);
  files.store.close();
});

test('only the owner can read the files', () => {
  const rights = ['sluice.db', 'sluice.db-wal', 'sluice.lock', 'sluice.witness'].map(
    (file) => statSync(join(files.folder, file)).mode & 0o777,
  );
  expect(rights).toEqual([0o600, 0o600, 0o600, 0o600]);
});

test('a restored copy is opened, also when others can read it, and then they cannot', () => {
  const folder = join(files.folder, 'restored');
  mkdirSync(folder);
  const copy = join(folder, 'sluice.db');
  copyTo(copy);
  files.store.close();
  chmodSync(copy, 0o644);
  openLog(folder).close();
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  openLog(folder).close();
});

test('a copy beside the write-ahead log of another log is refused, and both stay as they are', () => {
  const folder = join(files.folder, 'mixed');
  mkdirSync(folder);
  const copy = join(folder, 'sluice.db');
  const wal = `${copy}-wal`;
  copyTo(copy);
  copyFileSync(join(files.folder, 'sluice.db-wal'), wal);
  files.store.close();
  const sizes = [copy, wal].map((file) => statSync(file).size);
  expect(refusal(folder)).toContain('an empty folder');
  expect([copy, wal].map((file) => statSync(file).size)).toEqual(sizes);
  rmSync(wal);
  openLog(folder).close();
});

test('a witness that cannot be written stops nothing', () => {
  files.store.close();
  const witness = join(files.folder, 'sluice.witness');
  rmSync(witness);
  symlinkSync('/dev/full', witness);
  files.open();
  files.append('a', ['y']);
  expect(files.data('a')).toEqual(['x', 'y']);
});

test('a disk that is smaller than the disk share is reported, and the log takes less', () => {
  expect(files.notices).toEqual([]);
  files.store.close();
  const large = new StoreFolder({ folder: files.folder, dataBytes: 2 ** 52 });
  expect(large.notices.map(({ kind }) => kind)).toEqual(['small']);
  large.store.close();
});
