import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { Cluster } from 'ioredis';
import { ScriptCall } from './script-call.ts';
import type { ScriptAnswer, ScriptArguments, ScriptHead } from './script-call.ts';
import { METHODS } from './script-methods.ts';
import type { ScriptName } from './script-methods.ts';
import { ScriptSender, argument } from './script-sender.ts';
import type { ScriptSource } from './script-sender.ts';

/** The error when too few replicas of Redis have confirmed a write. It has the form of Redis' own errors. */
export const TOO_FEW_REPLICAS = 'NOREPLICAS not confirmed in time';
/** Scripts that replicas of Redis must confirm when `waitReplicas` is set. */
const WAITING: ReadonlySet<ScriptName> = new Set(['append', 'clear', 'probe']);
/** How long replicas may take to confirm a write, in ms. Shorter than the time-out of a command. */
const WAIT_MS = 500;

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

const NONE: readonly never[] = [];

type Methods<R> = Record<(typeof METHODS)[ScriptName], (...args: (string | number)[]) => R>;
type ScriptPipeline = Methods<unknown> & {
  wait(replicas: number, timeout: number): unknown;
  exec(): Promise<[Error | null, unknown][] | null>;
};

/**
 * Runs the broker's Lua scripts. All calls of one turn of the event loop leave in one write to each node. With ioredis'
 * auto-pipelining, a call would wait for the answers to the calls of the turn before, and so for two time-outs. To one
 * server, calls are written by {@link ScriptSender}, because commands and pipelines of ioredis cost several times as much.
 */
export class RedisScripts {
  readonly #redis: Redis | Cluster;
  /** Writes all calls. Undefined in a cluster, and when a WAIT must follow the calls. */
  readonly #sender: ScriptSender | undefined;
  readonly #nodeOf: (key: string) => string;
  readonly #waitReplicas: number;
  readonly #calls = new Map<string, ScriptCall[]>();
  #isFlushing = false;

  /**
   * @param nodeOf returns the same text for keys on the same server; only calls to the same server can share a write
   * @param waitReplicas an append succeeds when this many replicas of Redis have confirmed it (WAIT); 0 does not wait
   */
  constructor(redis: Redis | Cluster, nodeOf: (key: string) => string, waitReplicas: number) {
    this.#waitReplicas = waitReplicas;
    this.#redis = redis;
    this.#nodeOf = nodeOf;
    if (redis instanceof Redis && waitReplicas === 0) {
      this.#sender = new ScriptSender(redis, sources());
      return;
    }
    for (const name of Object.keys(METHODS)) {
      redis.defineCommand(`sluice_${name}`, { lua: scriptText(name) });
    }
  }

  /** Whether there is a connection now. */
  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Makes the first arguments of calls, which can be used for any number of them. */
  head(keys: readonly [string, ...string[]], args: readonly (string | number)[]): ScriptHead {
    const { count, text, values } = this.#arguments([keys.length, ...keys, ...args]);
    // A text that was made of pieces is copied out of them each time it is written. This makes it one piece.
    return { key: keys[0], count, text: Buffer.from(text).toString(), values };
  }

  /** Strings in the result are Buffers. */
  run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.send(script, this.head(keys, args), [], { resolve, reject });
    });
  }

  /** Runs a script with these arguments behind those of the head. Strings in the result are Buffers. */
  send(script: ScriptName, head: ScriptHead, rest: readonly (string | number)[], answer: ScriptAnswer): void {
    const call = new ScriptCall(script, head, this.#arguments(rest), answer);
    const node = this.#nodeOf(head.key);
    const calls = this.#calls.get(node);
    if (calls === undefined) this.#calls.set(node, [call]);
    else calls.push(call);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(this.#flush);
  }

  #arguments(values: readonly (string | number)[]): ScriptArguments {
    const count = values.length;
    if (this.#sender === undefined) return { count, text: '', values };
    let text = '';
    for (const value of values) text += argument(value);
    return { count, text, values: NONE };
  }

  readonly #flush = (): void => {
    this.#isFlushing = false;
    const all = [...this.#calls.values()];
    this.#calls.clear();
    for (const calls of all) {
      if (this.#sender === undefined) this.#sendPipeline(calls);
      else this.#sender.send(calls);
    }
  };

  #sendPipeline(calls: readonly ScriptCall[]): void {
    const pipeline = this.#redis.pipeline() as unknown as ScriptPipeline;
    for (const { script, head, rest } of calls) pipeline[METHODS[script]](...head.values, ...rest.values);
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

/** The text and the digest of each script. */
function sources(): Record<ScriptName, ScriptSource> {
  const entries = Object.keys(METHODS).map((name) => {
    const lua = scriptText(name);
    return [name, { lua, sha: hash('sha1', lua, 'hex') }] as const;
  });
  return Object.fromEntries(entries) as Record<ScriptName, ScriptSource>;
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
