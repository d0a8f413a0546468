import { Buffer } from 'node:buffer';
import type { Redis } from 'ioredis';
import type { ScriptCall, SentCalls } from './script-call.ts';
import type { ScriptName } from './script-methods.ts';

/** A script as Redis knows it. */
export interface ScriptSource {
  readonly lua: string;
  /** SHA-1 in hex. */
  readonly sha: string;
}

/** The part of an ioredis connection that takes commands. */
interface CommandPort {
  sendCommand(command: ScriptCall): unknown;
  readonly commandQueue: {
    push(item: { command: ScriptCall; stream: undefined; select: number | undefined }): unknown;
  };
}

/** One write has about this many characters at the most; what exceeds them follows in the next. */
const WRITE_LENGTH = 65_536;

/**
 * Sends calls of scripts to one server over a connection of ioredis. The calls of one turn are one text and one write, and share
 * a timer. ioredis gets the first call as a command. So it checks that the connection can be used, writes, and watches over the
 * connection's silence. The other calls only take their places in its queue, which finds the call for each reply.
 */
export class ScriptSender {
  readonly #redis: Redis;
  readonly #port: CommandPort;
  readonly #sources: Readonly<Record<ScriptName, ScriptSource>>;
  readonly #timeout: number;
  /** The connection that knows the scripts in #loaded. */
  #stream: unknown;
  readonly #loaded = new Set<ScriptName>();
  /** Oldest first. */
  readonly #sent: SentCalls[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Calls that Redis has refused, because it has lost their scripts. */
  #again: ScriptCall[] = [];

  constructor(redis: Redis, sources: Readonly<Record<ScriptName, ScriptSource>>) {
    this.#redis = redis;
    this.#port = redis as unknown as CommandPort;
    this.#sources = sources;
    this.#timeout = redis.options.commandTimeout ?? Infinity;
  }

  /**
   * Answers each call, with an error `Command timed out` when Redis does not answer in time.
   * @param isRepeated whether Redis has refused the calls, because it did not know their scripts; that happens only once
   */
  send(calls: readonly ScriptCall[], isRepeated = false): void {
    const [first] = calls;
    if (first === undefined) return;
    const { stream } = this.#redis;
    if (this.#stream !== stream) this.#loaded.clear();
    this.#stream = stream;
    const sent: SentCalls = { calls, at: performance.now(), open: calls.length };
    const texts = this.#encode(calls);
    for (const call of calls) {
      call.sent = sent;
      call.repeat = isRepeated ? undefined : this.#repeat;
      call.settled = this.#settled;
    }
    first.text = texts[0] ?? '';
    if (texts.length > 1) stream?.cork();
    this.#port.sendCommand(first);
    // ioredis has taken the text, or has rejected the call because there is no connection.
    const error = first.answer === undefined ? new Error("Stream isn't writeable") : undefined;
    for (const call of calls.slice(1)) {
      if (error === undefined)
        this.#port.commandQueue.push({ command: call, stream: undefined, select: this.#select });
      else call.reject(error);
    }
    if (error === undefined) for (const text of texts.slice(1)) stream.write(text);
    if (texts.length > 1) stream?.uncork();
    if (error !== undefined) this.#loaded.clear();
    if (sent.open === 0) return;
    this.#sent.push(sent);
    if (this.#timer === undefined && this.#timeout < Infinity) this.#watch(this.#timeout);
  }

  get #select(): number | undefined {
    return this.#redis.condition?.select;
  }

  #encode(calls: readonly ScriptCall[]): string[] {
    const texts: string[] = [];
    let text = '';
    for (const { script, head, rest } of calls) {
      const { lua, sha } = this.#sources[script];
      const count = head.count + rest.count + 2;
      if (this.#loaded.has(script)) text += `*${count}\r\n$7\r\nEVALSHA\r\n$40\r\n${sha}\r\n`;
      else {
        this.#loaded.add(script);
        text += `*${count}\r\n$4\r\nEVAL\r\n${argument(lua)}`;
      }
      text += head.text;
      text += rest.text;
      if (text.length < WRITE_LENGTH) continue;
      texts.push(text);
      text = '';
    }
    if (text !== '') texts.push(text);
    return texts;
  }

  readonly #repeat = (call: ScriptCall): void => {
    this.#loaded.delete(call.script);
    if (this.#again.push(call) > 1) return;
    setImmediate(() => {
      const calls = this.#again;
      this.#again = [];
      this.send(calls, true);
    });
  };

  /** Redis answers in order, so the calls are nearly always the oldest. */
  readonly #settled = (): void => {
    while (this.#sent[0]?.open === 0) this.#sent.shift();
  };

  /** One timer for all: it fires for the oldest calls, and then for the oldest of those that were sent meanwhile. */
  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const now = performance.now();
      for (let oldest = this.#sent[0]; oldest !== undefined; oldest = this.#sent[0]) {
        const left = oldest.at + this.#timeout - now;
        if (left > 0) {
          this.#watch(Math.ceil(left));
          return;
        }
        this.#sent.shift();
        for (const call of oldest.calls)
          if (call.sent === oldest) call.reject(new Error('Command timed out'));
      }
    }, ms);
  }
}

/** An argument of a command in RESP. */
export function argument(value: string | number): string {
  const text = typeof value === 'string' ? value : String(value);
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
