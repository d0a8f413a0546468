import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

/** What a write that too few replicas have confirmed is refused with, in the form of Redis' own errors. */
export const TOO_FEW_REPLICAS = 'NOREPLICAS not confirmed in time';
/** How long replicas have for that, in ms: less than a command may take. */
const REPLICA_PATIENCE = 500;

const NAMES = ['append', 'read', 'rewind', 'hit', 'tell'] as const;
export type ScriptName = (typeof NAMES)[number];

/** ioredis adds a method for each script, to the client and to its pipelines, with a twin that answers in bytes. */
type ScriptPipeline = Record<`sluice_${ScriptName}Buffer`, (...args: (string | number)[]) => unknown> & {
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
 * Runs this broker's Lua scripts. The calls of one turn of the event loop leave in one write to each node; unlike
 * ioredis' own auto-pipelining, a turn's calls do not wait for the answers to the turn before, so that a time-out is
 * one time-out.
 */
export class RedisScripts {
  readonly #redis: Redis | Cluster;
  readonly #nodeOf: (key: string) => string;
  readonly #waitReplicas: number;
  readonly #calls = new Map<string, Call[]>();

  /**
   * `nodeOf` says which keys live on the same server: only their calls can share a write. An append succeeds only when so
   * many replicas have confirmed it (WAIT); 0 for not waiting.
   */
  constructor(redis: Redis | Cluster, nodeOf: (key: string) => string, waitReplicas: number) {
    this.#waitReplicas = waitReplicas;
    this.#redis = redis;
    this.#nodeOf = nodeOf;
    for (const name of NAMES) {
      const lua = readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8');
      redis.defineCommand(`sluice_${name}`, { lua });
    }
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
    for (const calls of all) this.#send(calls);
  }

  #send(calls: readonly Call[]): void {
    const pipeline = this.#redis.pipeline() as unknown as ScriptPipeline;
    for (const { script, args } of calls) pipeline[`sluice_${script}Buffer`](...args);
    const appends = calls.some(({ script }) => script === 'append');
    const waits = this.#waitReplicas > 0 && appends;
    if (waits) pipeline.wait(this.#waitReplicas, REPLICA_PATIENCE);
    pipeline.exec().then(
      (results) => {
        const confirmed = waits ? Number(results?.at(-1)?.[1] ?? 0) : Infinity;
        for (const [index, call] of calls.entries()) {
          const [error, result] = results?.[index] ?? [new Error('no answer'), undefined];
          const unconfirmed = call.script === 'append' && confirmed < this.#waitReplicas;
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
