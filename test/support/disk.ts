import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskShim } from './disk-shim.ts';
import type { DiskOperation } from './disk-shim.ts';

/** The size of the units in which a disk loses what was not synced, in bytes. */
const SECTOR_BYTES = 512;
/** The chances of a sector to reach the disk without a sync. One of them holds for a whole power cut. */
const CHANCES: readonly number[] = [0, 0.02, 0.5, 0.98, 1];

/** The files of a folder, by name. */
type Files = ReadonlyMap<string, Buffer>;

/** A disk with one folder, below a broker, that loses its power. */
export class Disk {
  readonly shim: DiskShim;
  readonly #folder: string;
  /** The files after the last power cut. */
  #before: Files = new Map();

  private constructor(shim: DiskShim, folder: string) {
    this.shim = shim;
    this.#folder = folder;
  }

  /** The folder has to be empty. */
  static async under(folder: string): Promise<Disk> {
    return new Disk(await DiskShim.over(folder, { records: true }), folder);
  }

  /**
   * Gives the folder the files that may be on the disk after a power cut. The broker has to have ended. What was written and not
   * synced since the last power cut may be lost, also when it was an earlier process that has written it.
   * @param chance of a sector to be on the disk without a sync
   */
  async losePower(random: () => number, chance = oneOf(CHANCES, random)): Promise<void> {
    this.#before = filesAfterPowerCut(this.#before, this.shim.takeTrace(), { random, chance });
    await writeFiles(this.#folder, this.#before);
  }
}

/**
 * Gives a folder the files that may be on the disk when the power is cut after these operations, on files that did not exist
 * before.
 */
export async function cutPower(
  folder: string,
  trace: readonly DiskOperation[],
  random: () => number,
): Promise<void> {
  await writeFiles(folder, filesAfterPowerCut(new Map(), trace, { random, chance: oneOf(CHANCES, random) }));
}

/** Makes a folder hold these files, and no others. */
async function writeFiles(folder: string, files: Files): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  await Promise.all([...files].map(([name, bytes]) => writeFile(join(folder, name), bytes)));
}

function oneOf<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)] as T;
}

/** Decides what reaches the disk without a sync. */
interface Luck {
  readonly random: () => number;
  /** Of each sector. */
  readonly chance: number;
}

/**
 * The files as a disk may have them after a power cut: everything up to the last completed sync of each file, and of the later
 * writes some sectors, chosen at random. Truncations and changes of the folder are kept or lost as well; those of the folder
 * are lost from one of them on, because file systems keep their order.
 * @param before the files when the process started
 * @param trace what the process has done since then
 */
function filesAfterPowerCut(before: Files, trace: Iterable<DiskOperation>, luck: Luck): Files {
  const folder = replay(before, trace, luck);
  const reached = luck.chance === 0 ? 0 : Math.floor(luck.random() * (folder.pending.length + 1));
  for (const change of folder.pending.slice(0, reached)) apply(folder.names, change);
  return new Map([...folder.names].map(([name, file]) => [name, file.afterPowerCut()]));
}

/** A change of the folder. */
type FolderChange =
  | { readonly kind: 'link'; readonly name: string; readonly file: DiskFile }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string };

interface Folder {
  /** The names that are on the disk. */
  readonly names: Map<string, DiskFile>;
  /** Changes of the folder that were not synced. */
  readonly pending: readonly FolderChange[];
}

function replay(before: Files, trace: Iterable<DiskOperation>, luck: Luck): Folder {
  const names = new Map([...before].map(([name, bytes]) => [name, new DiskFile(luck, bytes)]));
  const seen = new Map(names);
  const files = new Map<bigint, DiskFile>();
  const pending: FolderChange[] = [];
  let folder: bigint | undefined;
  const covered = new Map<bigint, number>();
  const change = (one: FolderChange): void => {
    apply(seen, one);
    pending.push(one);
  };
  for (const one of trace) {
    if (one.kind === 'unlink' || one.kind === 'rename') {
      change(one);
    } else if (one.kind === 'open' && one.name === '') {
      folder = one.inode;
    } else if (one.kind === 'open') {
      if (one.created) change({ kind: 'link', name: one.name, file: new DiskFile(luck) });
      files.set(one.inode, seen.get(one.name) as DiskFile);
    } else if (one.inode === folder) {
      if (one.kind === 'sync-begin') covered.set(one.sync, pending.length);
      if (one.kind !== 'sync-end') continue;
      // Two syncs of the folder never overlap: nothing asks for them but SQLite, and the start.
      for (const synced of pending.splice(0, covered.get(one.sync))) apply(names, synced);
    } else {
      files.get(one.inode)?.do(one);
    }
  }
  return { names, pending };
}

function apply(names: Map<string, DiskFile>, change: FolderChange): void {
  if (change.kind === 'link') {
    names.set(change.name, change.file);
    return;
  }
  const file = names.get(change.name);
  names.delete(change.name);
  if (change.kind === 'rename' && file !== undefined) names.set(change.to, file);
}

type FileChange = DiskOperation & { readonly kind: 'write' | 'truncate' };

/** A file: the bytes that are surely on the disk, and the changes that may not be there. */
class DiskFile {
  #bytes: Buffer;
  #size: number;
  readonly #luck: Luck;
  #pending: FileChange[] = [];
  /** How many changes were applied: those of the past come first. */
  #applied = 0;
  readonly #covered = new Map<bigint, number>();

  constructor(luck: Luck, bytes: Buffer = Buffer.alloc(0)) {
    this.#luck = luck;
    this.#bytes = Buffer.from(bytes);
    this.#size = bytes.length;
  }

  do(operation: DiskOperation): void {
    if (operation.kind === 'write' || operation.kind === 'truncate') this.#pending.push(operation);
    else if (operation.kind === 'sync-begin')
      this.#covered.set(operation.sync, this.#applied + this.#pending.length);
    else if (operation.kind === 'sync-end')
      for (const change of this.#take(this.#covered.get(operation.sync) ?? 0)) this.#apply(change);
    // Linux takes the pages that it could not write for written, and a later sync does not write them again.
    else if (operation.kind === 'sync-failed') this.#loseSome(this.#take(Infinity));
  }

  afterPowerCut(): Buffer {
    this.#loseSome(this.#take(Infinity));
    return this.#bytes.subarray(0, this.#size);
  }

  /** Takes the pending changes up to a number that counts from the first change of the file. */
  #take(end: number): readonly FileChange[] {
    const taken = this.#pending.splice(0, Math.max(0, end - this.#applied));
    this.#applied += taken.length;
    return taken;
  }

  #loseSome(changes: readonly FileChange[]): void {
    const { random, chance } = this.#luck;
    for (const change of changes) {
      if (change.kind === 'truncate') {
        if (random() < chance) this.#apply(change);
        continue;
      }
      const { offset, data } = change;
      for (let from = 0; from < data.length;) {
        const to = Math.min(data.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
        const sector = { ...change, offset: offset + from, data: data.subarray(from, to) };
        if (random() < chance) this.#apply(sector);
        from = to;
      }
    }
  }

  #apply(change: FileChange): void {
    if (change.kind === 'truncate') {
      this.#resize(change.size);
      return;
    }
    const { offset, data } = change;
    this.#resize(Math.max(this.#size, offset + data.length));
    data.copy(this.#bytes, offset);
  }

  #resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    // What lies behind the end of a file that grows again is zero.
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }
}
