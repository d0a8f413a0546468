import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below these of Linux (32768 to 60999), from which a program gets one when it asks for any port. */
const FIRST = 20_000;
const END = 32_000;
const ATTEMPTS = 20;

/**
 * Returns a port of 127.0.0.1 that was free a moment ago, and that nobody gets by chance. The caller must handle that it is taken
 * meanwhile.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
  throw new Error(`found no free port from ${FIRST} to ${END} in ${ATTEMPTS} attempts`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
