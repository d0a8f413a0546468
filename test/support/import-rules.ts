import { dirname, join, normalize } from 'node:path/posix';

/** What the files of one room may import, besides each other and Node's modules. */
export interface Room {
  /** The rooms that this room may import. */
  readonly rooms: readonly string[];
  /** The packages that this room may import, with their sub-paths, and files outside src/. A `*` at the end stands for any text. */
  readonly packages?: readonly string[];
  /** For a room without input and output: the only modules of Node that it may import. */
  readonly node?: readonly string[];
}

/** Matches every way to name another module: imports, re-exports and dynamic imports, also of types. */
const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

export function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, from, bare]) => from ?? bare ?? '');
}

/**
 * Returns the imports that break the rules, one line each.
 * @param files the sources by their paths below src/
 * @param rooms the rules by folder; a file belongs to the longest folder that its path begins with
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
        if (target.startsWith('..') && packages.includes(target)) continue;
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

/** Returns the import circles, each once, with its files in order. Imports of types count. */
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
