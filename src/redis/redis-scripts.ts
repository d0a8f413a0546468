import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { Redis } from 'ioredis';
import type { Cluster } from 'ioredis';

/** The error when too few replicas of Redis have confirmed a write. It has the form of Redis' own errors. */
export const TOO_FEW_REPLICAS = 'NOREPLICAS not confirmed in time';
/** Scripts that replicas of Redis must confirm when `waitReplicas` is set. */
const WAITING: ReadonlySet<ScriptName> = new Set(['append', 'clear', 'probe']);
/** How long replicas may take to confirm a write, in ms. Shorter than the time-out of a command. */
const WAIT_MS = 500;

/** The method that ioredis adds to clients and pipelines for each script. This variant returns Buffers. */
const METHODS = {
  append: 'sluice_appendBuffer',
  read: 'sluice_readBuffer',
  rewind: 'sluice_rewindBuffer',
  state: 'sluice_stateBuffer',
  latest: 'sluice_latestBuffer',
  check: 'sluice_checkBuffer',
  clear: 'sluice_clearBuffer',
  about: 'sluice_aboutBuffer',
  behind: 'sluice_behindBuffer',
  count: 'sluice_countBuffer',
  broadcast: 'sluice_broadcastBuffer',
  probe: 'sluice_probeBuffer',
} as const;
export type ScriptName = keyof typeof METHODS;

/** Scripts that begin with the text of channel.lua. */
const OF_CHANNELS: ReadonlySet<string> = new Set<ScriptName>([
  'append',
  'read',
  'rewind',
  'state',
  'latest',
  'check',
  'clear',
  'about',
  'behind',
]);

type Methods<R> = Record<(typeof METHODS)[ScriptName], (...args: (string | number)[]) => R>;
type ScriptPipeline = Methods<unknown> & {
  wait(replicas: number, timeout: number): unknown;
  exec(): Promise<[Error | null, unknown][] | null>;
};

interface Call {
  readonly script: ScriptName;
  readonly args: (string | number)[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Runs the broker's Lua scripts. All calls of one turn of the event loop leave in one write to each node. With ioredis'
 * auto-pipelining, a call would wait for the answers to the calls of the turn before, and so for two time-outs. To one
 * server, the calls are plain commands over a corked connection, because a pipeline of ioredis costs some 10 µs more.
 */
export class RedisScripts {
  readonly #redis: Redis | Cluster;
  /** The connection for all calls. Undefined in a cluster, and when a WAIT must follow the calls. */
  readonly #single: Redis | undefined;
  readonly #nodeOf: (key: string) => string;
  readonly #waitReplicas: number;
  readonly #calls = new Map<string, Call[]>();

  /**
   * @param nodeOf returns the same text for keys on the same server; only calls to the same server can share a write
   * @param waitReplicas an append succeeds when this many replicas of Redis have confirmed it (WAIT); 0 does not wait
   */
  constructor(redis: Redis | Cluster, nodeOf: (key: string) => string, waitReplicas: number) {
    this.#waitReplicas = waitReplicas;
    this.#redis = redis;
    this.#single = redis instanceof Redis && waitReplicas === 0 ? redis : undefined;
    this.#nodeOf = nodeOf;
    for (const name of Object.keys(METHODS)) {
      redis.defineCommand(`sluice_${name}`, { lua: scriptText(name) });
    }
  }

  /** Whether there is a connection now. */
  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Strings in the result are Buffers. */
  run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#calls.size === 0) setImmediate(() => this.#flush());
      const node = this.#nodeOf(keys[0]);
      const call: Call = { script, args: [keys.length, ...keys, ...args], resolve, reject };
      const calls = this.#calls.get(node);
      if (calls === undefined) this.#calls.set(node, [call]);
      else calls.push(call);
    });
  }

  #flush(): void {
    const all = [...this.#calls.values()];
    this.#calls.clear();
    for (const calls of all) {
      if (this.#single === undefined) this.#sendPipeline(calls);
      else sendCorked(this.#single, calls);
    }
  }

  #sendPipeline(calls: readonly Call[]): void {
    const pipeline = this.#redis.pipeline() as unknown as ScriptPipeline;
    for (const { script, args } of calls) pipeline[METHODS[script]](...args);
    const appends = calls.some(({ script }) => WAITING.has(script));
    const waits = this.#waitReplicas > 0 && appends;
    if (waits) pipeline.wait(this.#waitReplicas, WAIT_MS);
    pipeline.exec().then(
      (results) => {
        const confirmed = waits ? Number(results?.at(-1)?.[1] ?? 0) : Infinity;
        for (const [index, call] of calls.entries()) {
          const [error, result] = results?.[index] ?? [new Error('no answer'), undefined];
          const unconfirmed = WAITING.has(call.script) && confirmed < this.#waitReplicas;
          if (error) call.reject(error);
          else if (unconfirmed) call.reject(new Error(TOO_FEW_REPLICAS));
          else call.resolve(result);
        }
      },
      (error: unknown) => {
        for (const call of calls) call.reject(error as Error);
      },
    );
  }
}

function scriptText(name: string): string {
  const lua = luaFile(name);
  if (!OF_CHANNELS.has(name)) return lua;
  // Redis reads the flags (#!lua flags=…) only from the first line of a script.
  const [flags = ''] = /^#!.*\n/.exec(lua) ?? [];
  return flags + luaFile('channel') + lua.slice(flags.length);
}

function luaFile(name: string): string {
  return readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
}

function sendCorked(redis: Redis, calls: readonly Call[]): void {
  const methods = redis as unknown as Methods<Promise<unknown>>;
  // Before the first attempt to connect there is no stream, and each call fails.
  const stream: Writable | undefined = redis.stream;
  stream?.cork();
  for (const { script, args, resolve, reject } of calls)
    methods[METHODS[script]](...args).then(resolve, reject);
  stream?.uncork();
}
