import { readFileSync } from 'node:fs';

/** A Redis user, made by the command in deploy/redis-users.txt. */
export interface DocumentedUser {
  /** The arguments of the Redis command. */
  readonly command: readonly string[];
  readonly name: string;
  readonly password: string;
}

const USERS = new URL('../../deploy/redis-users.txt', import.meta.url);

export function documentedUser(name: string): DocumentedUser {
  const line = new RegExp(`^ACL SETUSER ${name} .+$`, 'm').exec(readFileSync(USERS, 'utf8'))?.[0];
  if (line === undefined) throw new Error(`deploy/redis-users.txt has no ACL SETUSER ${name}`);
  const command = line.split(' ');
  const password = command.find((word) => word.startsWith('>'))?.slice(1) ?? '';
  return { command, name, password };
}

/** The URL with the name and the password of the user. */
export function asUser(url: string, { name, password }: DocumentedUser): string {
  return url.replace('://', `://${name}:${password}@`);
}
