import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { access, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { afterExit } from './after-exit.ts';

const SOURCE = join(import.meta.dirname, 'disk-shim.c');
const CONTROL_BYTES = 64;
/** The 32-bit numbers of `struct control`, in order. */
const FIELDS = ['syncDelayMs', 'writeError', 'syncError', 'hang', 'syncs', 'failed', 'hanging'] as const;
const { EIO, ENOSPC } = constants.errno;

/** What the shim has recorded: one operation on a file of the folder. */
export type DiskOperation = FileOperation & {
  /** When the operation had ended, as `process.hrtime` counts. */
  readonly time: bigint;
};

type FileOperation =
  | { readonly kind: 'open'; readonly inode: bigint; readonly name: string; readonly created: boolean }
  | { readonly kind: 'write'; readonly inode: bigint; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly inode: bigint; readonly size: number }
  | {
      readonly kind: 'sync-begin' | 'sync-end' | 'sync-failed';
      readonly inode: bigint;
      readonly sync: bigint;
    }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string };

/**
 * Stands between a broker and the files of its folder (`disk-shim.c`): records what is written and synced, and makes the disk
 * slow, full or broken, at once and without a restart. Linux only.
 */
export class DiskShim {
  /** For the broker's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly #home: string;
  readonly #control: number;
  readonly #callOff: () => void;

  private constructor(home: string, library: string, folder: string) {
    this.#home = home;
    this.#control = openSync(join(home, 'control'), 'r+');
    this.#callOff = afterExit('rm -rf "$1"', home);
    this.env = {
      LD_PRELOAD: library,
      DISK_SHIM_FOLDER: folder,
      DISK_SHIM_CONTROL: join(home, 'control'),
      DISK_SHIM_TRACE: join(home, 'trace'),
    };
  }

  /** @param records whether the operations are recorded; they are kept in a file until {@link takeTrace} */
  static async over(folder: string, { records = false } = {}): Promise<DiskShim> {
    const home = await mkdtemp(join(tmpdir(), 'sluice-disk-shim-'));
    await writeFile(join(home, 'control'), Buffer.alloc(CONTROL_BYTES));
    if (records) await writeFile(join(home, 'trace'), '');
    const shim = new DiskShim(home, await build(), await realpath(folder));
    if (records) return shim;
    const { DISK_SHIM_TRACE: _none, ...env } = shim.env;
    return Object.assign(shim, { env });
  }

  /** Makes every sync take longer by this time, in ms; 0 for the disk's own time. */
  delaySyncs(ms: number): void {
    this.#set('syncDelayMs', ms);
  }

  /** Makes every write fail as on a full disk. */
  fill(): void {
    this.#set('writeError', ENOSPC);
  }

  /** Makes every write fail as on a broken disk. */
  breakWrites(): void {
    this.#set('writeError', EIO);
  }

  /** Makes every sync fail as on a broken disk. */
  breakSyncs(): void {
    this.#set('syncError', EIO);
  }

  /** Lets no sync end. */
  hang(): void {
    this.#set('hang', 1);
  }

  /** The disk is well again, and syncs that hang go on. */
  heal(): void {
    for (const field of ['syncDelayMs', 'writeError', 'syncError', 'hang'] as const) this.#set(field, 0);
  }

  /** How many syncs have succeeded. */
  get syncs(): number {
    return this.#get('syncs');
  }

  /** Resolves when `count` more writes or syncs have failed. */
  async failed(count = 1): Promise<void> {
    const goal = this.#get('failed') + count;
    while (this.#get('failed') < goal) await delay(2);
  }

  /** Resolves when a sync hangs. */
  async hanging(): Promise<void> {
    while (this.#get('hanging') === 0) await delay(2);
  }

  /** Gives what was recorded since the last time, in order, and then forgets it. The process has to have ended. */
  *takeTrace(): Generator<DiskOperation> {
    const path = join(this.#home, 'trace');
    const file = openSync(path, 'r');
    try {
      yield* readTrace(file);
    } finally {
      closeSync(file);
    }
    truncateSync(path, 0);
  }

  async remove(): Promise<void> {
    closeSync(this.#control);
    this.#callOff();
    await rm(this.#home, { recursive: true, force: true });
  }

  #set(field: (typeof FIELDS)[number], value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    writeSync(this.#control, bytes, 0, 4, FIELDS.indexOf(field) * 4);
  }

  #get(field: (typeof FIELDS)[number]): number {
    const bytes = Buffer.alloc(4);
    readSync(this.#control, bytes, 0, 4, FIELDS.indexOf(field) * 4);
    return bytes.readInt32LE();
  }
}

/** Compiles the library once for each version of its source. */
async function build(): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(SOURCE))
    .digest('hex');
  const library = join(tmpdir(), `sluice-disk-shim-${digest.slice(0, 16)}.so`);
  try {
    await access(library);
    return library;
  } catch {
    // It has to be built.
  }
  const unfinished = `${library}.${process.pid}`;
  const options = ['-shared', '-fPIC', '-O2', '-U_FORTIFY_SOURCE', '-o', unfinished];
  await promisify(execFile)('cc', [...options, SOURCE, '-ldl', '-lpthread']);
  await rename(unfinished, library);
  return library;
}

const HEAD_BYTES = 32;
const KINDS = [
  '',
  ...(['open', 'write', 'truncate', 'sync-begin', 'sync-end', 'unlink', 'rename', 'sync-failed'] as const),
] as const;

/** Reads the records of `struct head`, one at a time: a trace can have gigabytes. The last one may be incomplete, because the process was killed. */
function* readTrace(file: number): Generator<DiskOperation> {
  let at = 0;
  for (;;) {
    const head = Buffer.alloc(HEAD_BYTES);
    if (readSync(file, head, 0, HEAD_BYTES, at) < HEAD_BYTES) return;
    const data = Buffer.allocUnsafeSlow(head.readUInt32LE(4));
    at += HEAD_BYTES;
    if (data.length > 0 && readSync(file, data, 0, data.length, at) < data.length) return;
    at += data.length;
    yield { ...readOperation(head, data), time: head.readBigUInt64LE(24) };
  }
}

function readOperation(head: Buffer, data: Buffer): FileOperation {
  const kind = KINDS[head.readUInt32LE(0)] ?? '';
  const inode = head.readBigUInt64LE(8);
  const value = head.readBigUInt64LE(16);
  switch (kind) {
    case 'open':
      return { kind, inode, name: data.toString(), created: value === 1n };
    case 'write':
      return { kind, inode, offset: Number(value), data };
    case 'truncate':
      return { kind, inode, size: Number(value) };
    case 'sync-begin':
    case 'sync-end':
    case 'sync-failed':
      return { kind, inode, sync: value };
    case 'unlink':
      return { kind, name: data.toString() };
    case 'rename': {
      const [name = '', to = ''] = data.toString().split('\0');
      return { kind, name, to };
    }
    case '':
      throw new Error(`the trace has an operation of the unknown kind ${head.readUInt32LE(0)}`);
  }
}
