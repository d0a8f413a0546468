import { readFileSync } from 'node:fs';

/** A Redis user, made by the command in docs/operations.md. */
export interface DocumentedUser {
  /** The arguments of the Redis command. */
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

/** The URL with the name and the password of the user. */
export function asUser(url: string, { name, password }: DocumentedUser): string {
  return url.replace('://', `://${name}:${password}@`);
}
