import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range of the kernel's ports for outgoing connections, so no outgoing connection uses these ports. */
const FIRST = 11_000;
const LAST = 20_999;
/** A node's cluster bus listens on the node's port plus this number. */
const BUS = 10_000;

/** Returns ports for servers that are started together. For each port, its bus port is free too. */
export async function serverPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if ((await isFree(port)) && (await isFree(port + BUS))) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
