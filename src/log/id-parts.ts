import type { EventId } from '../events/event.ts';

/** An event id as numbers. */
export interface IdParts {
  readonly ms: number;
  readonly seq: number;
}

/** The largest `seq` that a word can hold. */
const MAX_SEQ = 0xffff_ffff;

export function eventId({ ms, seq }: IdParts): EventId {
  return `${ms}-${seq}` as EventId;
}

/** Rounds numbers above 2^53. The embedded log makes no such ids. */
export function idParts(id: EventId): IdParts {
  const dash = id.indexOf('-');
  return { ms: Number(id.slice(0, dash)), seq: Number(id.slice(dash + 1)) };
}

export function isAfter(a: IdParts, b: IdParts): boolean {
  return a.ms === b.ms ? a.seq > b.seq : a.ms > b.ms;
}

/** Returns an id for the time `now` (epoch ms), or the next id after the tail when the clock is not ahead of the tail. */
export function nextId(tail: IdParts, now: number): IdParts {
  if (now > tail.ms) return { ms: now, seq: 0 };
  return tail.seq < MAX_SEQ ? { ms: tail.ms, seq: tail.seq + 1 } : { ms: tail.ms + 1, seq: 0 };
}

/** Makes the texts of ids. Channels that get an event in the same ms share the text of its id, and the digits of the time. */
export class IdTexts {
  #ms = -1;
  #start = '';
  #first = '' as EventId;

  textOf({ ms, seq }: IdParts): EventId {
    if (ms !== this.#ms) {
      this.#ms = ms;
      this.#start = `${ms}-`;
      this.#first = `${this.#start}0` as EventId;
    }
    return seq === 0 ? this.#first : (`${this.#start}${seq}` as EventId);
  }
}
