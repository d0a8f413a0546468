import { deepEqual } from 'node:assert/strict';
import { afterAll } from 'vitest';

/**
 * Files of a project share processes (`vitest.config.ts`). A file that leaves a stubbed global, a false clock, a variable of the
 * environment or another folder behind would change what the files after it test, so it fails here.
 */
const before = shared();
afterAll(() => {
  const after = shared();
  const names = new Set([...before.keys(), ...after.keys()]);
  const changed = [...names].filter((name) => !isSame(before.get(name), after.get(name)));
  deepEqual(changed, [], 'This file has changed what it shares with others.');
});

/** What all files of a process use, by its name. No getter is called, since one could load something. */
function shared(): Map<string, PropertyDescriptor> {
  const found = new Map<string, PropertyDescriptor>([['process.cwd()', { value: process.cwd() }]]);
  // Names that begin with __ are the test runner's own.
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(globalThis)))
    if (!name.startsWith('__')) found.set(name, property);
  for (const [name, value] of Object.entries(process.env)) found.set(`process.env.${name}`, { value });
  for (const name of ['uncaughtException', 'unhandledRejection', 'warning'])
    found.set(`listeners of ${name}`, { value: process.listenerCount(name) });
  return found;
}

function isSame(one: PropertyDescriptor | undefined, other: PropertyDescriptor | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one.get === other.get) return Object.is(one.value, other.value);
  // Node puts what some of its getters give in their place.
  return one.get !== undefined && Object.is(one.get.call(globalThis), other.value);
}
