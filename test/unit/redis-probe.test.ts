import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const commandsOf = (script: string): Set<string> => {
  const lua = readFileSync(new URL(`../../src/redis/lua/${script}.lua`, import.meta.url), 'utf8');
  return new Set([...lua.matchAll(/\bp?call\('([A-Z]+)'/g)].map(([, command = '']) => command));
};

/** The commands that a read-only user may run. A Redis that refuses writes runs these. */
const READS = new Set([
  'XREVRANGE',
  'XRANGE',
  'XINFO',
  'XLEN',
  'LLEN',
  'LINDEX',
  'LRANGE',
  'HMGET',
  'ZCARD',
  'EXISTS',
  'TYPE',
  'TIME',
]);

test('the probe tries every command with which an append writes', () => {
  const writes = [...commandsOf('append')].filter((command) => !READS.has(command));
  expect(writes.length).toBeGreaterThan(2);
  const probed = commandsOf('probe');
  expect(writes.filter((command) => !probed.has(command))).toEqual([]);
});
