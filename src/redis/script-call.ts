import type { ScriptName } from './script-methods.ts';

/** Arguments of a script, with their place on the wire: the first ones of many calls can be made once. */
export interface ScriptArguments {
  readonly count: number;
  /** In RESP. Empty when calls go through a pipeline of ioredis. */
  readonly text: string;
  /** Empty when calls are sent as text. */
  readonly values: readonly (string | number)[];
}

/** The first arguments of a call: the number of keys, the keys, and more. */
export interface ScriptHead extends ScriptArguments {
  /** The first key. */
  readonly key: string;
}

/** Gets the result or the error, exactly once. */
export interface ScriptAnswer {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The calls of one write. */
export interface SentCalls {
  readonly calls: readonly ScriptCall[];
  /** By the monotonic clock, in ms. */
  readonly at: number;
  /** How many calls have no answer yet. */
  open: number;
}

/**
 * One call of a script. ioredis keeps it in its queue of sent commands in place of a Command of its own, which has a timer, two
 * promises and a copy of all arguments. The methods and fields below `answer` are those that ioredis uses.
 */
export class ScriptCall {
  readonly script: ScriptName;
  readonly head: ScriptHead;
  readonly rest: ScriptArguments;
  /** Undefined once the call is answered, or is given up. The answer to a call that was given up is ignored. */
  answer: ScriptAnswer | undefined;
  sent: SentCalls | undefined;
  /** Sends the call again. Redis has refused it because it does not know the script (NOSCRIPT), so it was not run. */
  repeat: ((call: ScriptCall) => void) | undefined;
  /** Called with each answered call. */
  settled: ((sent: SentCalls) => void) | undefined;
  /** What is written for this call and the ones behind it in the same write. */
  text = '';
  readonly name = 'evalsha';
  /** ioredis adds the arguments to errors, which outlive the call. */
  readonly args: readonly string[] = [];
  readonly isTraced = true;
  readonly inTransaction = false;

  constructor(script: ScriptName, head: ScriptHead, rest: ScriptArguments, answer: ScriptAnswer) {
    this.script = script;
    this.head = head;
    this.rest = rest;
    this.answer = answer;
    this.sent = undefined;
    this.repeat = undefined;
    this.settled = undefined;
  }

  resolve(result: unknown): void {
    this.#settle()?.resolve(result);
  }

  reject(error: Error): void {
    const isUnknown = this.answer !== undefined && error.message.startsWith('NOSCRIPT');
    if (isUnknown && this.repeat !== undefined) {
      const answer = this.#settle();
      this.answer = answer;
      this.repeat(this);
      return;
    }
    this.#settle()?.reject(error);
  }

  /** ScriptSender has one timer for all calls. */
  setTimeout(): void {}

  setReplyContext(): void {}

  toWritable(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  #settle(): ScriptAnswer | undefined {
    const { answer, sent } = this;
    this.answer = undefined;
    this.sent = undefined;
    if (sent !== undefined) {
      sent.open--;
      if (sent.open === 0) this.settled?.(sent);
    }
    return answer;
  }
}
