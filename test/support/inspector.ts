import { once } from 'node:events';
import type { Broker } from './broker.ts';

/** Node's inspector in a broker that was started with `--inspect=127.0.0.1:0` (Chrome DevTools Protocol). */
export class Inspector {
  readonly #socket: WebSocket;
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async of(broker: Broker): Promise<Inspector> {
    const line = await broker.logged('Debugger listening on ws://');
    const socket = new WebSocket(line.slice(line.indexOf('ws://')).trim());
    await once(socket, 'open');
    return new Inspector(socket);
  }

  /** Collects the garbage, and returns the bytes that are left on the heap of the main thread. */
  async heapInUse(): Promise<number> {
    await this.#call('HeapProfiler.collectGarbage');
    const { usedSize } = (await this.#call('Runtime.getHeapUsage')) as { usedSize: number };
    return usedSize;
  }

  /** Node's own modules that the main thread has loaded. */
  async builtinModules(): Promise<readonly string[]> {
    const { result } = (await this.#call('Runtime.evaluate', {
      expression: 'process.moduleLoadList',
      returnByValue: true,
    })) as { result: { value: readonly string[] } };
    return result.value;
  }

  close(): void {
    this.#socket.close();
  }

  async #call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#calls;
    this.#socket.send(JSON.stringify({ id, method, params }));
    for (;;) {
      const [{ data }] = (await once(this.#socket, 'message')) as [{ readonly data: string }];
      const message = JSON.parse(data) as { id?: number; result?: unknown };
      if (message.id === id) return message.result;
    }
  }
}
