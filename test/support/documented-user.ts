import { readFileSync } from 'node:fs';

/** A Redis user as docs/operations.md tells its readers to make it. */
export interface DocumentedUser {
  /** The command, word by word. */
  readonly command: readonly string[];
  readonly name: string;
  readonly password: string;
}

const DOCUMENT = new URL('../../docs/operations.md', import.meta.url);

export function documentedUser(name: string): DocumentedUser {
  const line = new RegExp(`^ {4}(ACL SETUSER ${name} .+)$`, 'm').exec(readFileSync(DOCUMENT, 'utf8'))?.[1];
  if (line === undefined) throw new Error(`docs/operations.md has no ACL SETUSER ${name}`);
  const command = line.split(' ');
  const password = command.find((word) => word.startsWith('>'))?.slice(1) ?? '';
  return { command, name, password };
}

/** The same URL, as that user. */
export function asUser(url: string, { name, password }: DocumentedUser): string {
  return url.replace('://', `://${name}:${password}@`);
}
