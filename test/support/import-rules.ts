import { dirname, join, normalize } from 'node:path/posix';

/** What the files of one room may import, besides each other and Node's own modules. */
export interface Room {
  /** Rooms below. */
  readonly rooms: readonly string[];
  /** Packages; their sub-paths count as well. `*` at the end stands for any. */
  readonly packages?: readonly string[];
  /** Whether the room does no input or output: then only these modules of Node. */
  readonly node?: readonly string[];
}

/** Every way in which a file names another module: imports, re-exports and late imports, types included. */
const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

export function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, from, bare]) => from ?? bare ?? '');
}

/**
 * The imports that break the rules, one line each; none when all is well.
 * @param files the sources by their paths below src/
 * @param rooms by folder; the longest folder that a path begins with is its room
 */
export function brokenImports(
  files: ReadonlyMap<string, string>,
  rooms: Readonly<Record<string, Room>>,
): string[] {
  const broken: string[] = [];
  for (const [file, source] of files) {
    const own = roomOf(file, rooms);
    if (own === undefined) {
      broken.push(`${file} is in no room`);
      continue;
    }
    const { rooms: below, packages = [], node } = rooms[own] as Room;
    for (const name of importsOf(source)) {
      if (name.startsWith('.')) {
        const target = normalize(join(dirname(file), name));
        const room = target.startsWith('..') ? undefined : roomOf(target, rooms);
        if (room === undefined || (room !== own && !below.includes(room)))
          broken.push(`${file} imports ${name} of ${room ?? 'no room'}`);
      } else if (name.startsWith('node:')) {
        if (node !== undefined && !node.includes(name)) broken.push(`${file} imports ${name}`);
      } else if (!packages.some((allowed) => matches(allowed, name))) {
        broken.push(`${file} imports ${name}`);
      }
    }
  }
  return broken;
}

/** Circles of files, each told once by its files in order; types count. */
export function circles(files: ReadonlyMap<string, string>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const name of importsOf(files.get(file) ?? '')) {
      const target = normalize(join(dirname(file), name));
      if (name.startsWith('.') && files.has(target)) visit(target);
    }
    path.pop();
    done.add(file);
  };
  for (const file of files.keys()) visit(file);
  return found;
}

function roomOf(file: string, rooms: Readonly<Record<string, Room>>): string | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (Object.hasOwn(rooms, folder)) return folder;
    if (folder === '.') return undefined;
  }
}

function matches(allowed: string, name: string): boolean {
  if (allowed.endsWith('*')) return name.startsWith(allowed.slice(0, -1));
  return name === allowed || name.startsWith(`${allowed}/`);
}
