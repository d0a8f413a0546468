import type { Link, LinkListener } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { SseParser } from './sse-parser.ts';
import type { ParsedEvent } from './sse-parser.ts';
import type { Tokens } from './tokens.ts';
import type { ConnectOptions, Status } from './types.ts';

/** What all connections of a client share. */
export interface Access extends Pick<ConnectOptions, 'fetch' | 'withCredentials'> {
  /** The address of the broker. */
  readonly url: URL;
  readonly tokens: Pick<Tokens, keyof Tokens>;
}

/** The data of `sluice:closing`. */
interface Closing {
  readonly reason: string;
  /** In ms. */
  readonly retry: number;
}

/** Channels that change within this time are changed together, in ms. */
const COALESCE_MS = 20;
/** How long a change waits for a stream that is not ready, in ms. */
const CHANGE_PATIENCE_MS = 1_000;
/** How long the first byte of a stream may take, in ms. */
const FIRST_BYTE_MS = 8_000;
/** A stream without a byte for so long is lost, in ms: the broker sends heartbeats every 5 s. */
const SILENCE_MS = 10_000;
/** As long as a poll waits, and some time for its answer, in ms. */
const POLL_SILENCE_MS = 30_000;
/** A stream that falls silent earlier than this never had a heartbeat get through, in ms. */
const SHORT_LIFE_MS = 25_000;
/** How long to poll before the next try with a stream, in ms. */
const POLLING_MS = 300_000;
const FIRST_BACK_OFF_MS = 500;
const LAST_BACK_OFF_MS = 30_000;
/** No wait that the server asks for is longer, in ms. */
const MAX_WAIT_MS = 600_000;

/** One stream for any number of channels, which comes back where it was. */
export class Connection implements Link {
  readonly #access: Access;
  readonly #listener: LinkListener;
  readonly #start: Readonly<Record<string, string>> | undefined;
  readonly #stopPageEvents: () => void;
  /** The position in each channel that is followed; undefined where it is not known yet. */
  readonly #positions = new Map<string, string | undefined>();
  /** The channels of the open stream, without those that were moved or left since. */
  readonly #streamed = new Set<string>();
  /** The channels that the broker did not refuse. */
  readonly #accepted = new Set<string>();
  /** The newest id of the stream. Undefined when it does not match the positions. */
  #cursor: string | undefined;
  #stream: AbortController | undefined;
  /** Opens the next stream. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Notices silence. */
  #watch: ReturnType<typeof setTimeout> | undefined;
  #lastByte = 0;
  /** Whether channels changed since the stream was opened. */
  #changed = false;
  #ready = false;
  #paused = false;
  #status: Status = 'closed';
  #retry = FIRST_BACK_OFF_MS;
  #attempt = 0;
  #shortLives = 0;
  /** Polls until then, in ms since 1970; 0 while it does not poll. */
  #pollUntil = 0;
  /** Why the broker ends the stream, and how long it asks to wait, in ms. */
  #closing?: Closing | undefined;

  /** @param start parameters that say where channels begin. Then all channels have to be followed in one turn. */
  constructor(access: Access, listener: LinkListener, start?: Readonly<Record<string, string>>) {
    this.#access = access;
    this.#listener = listener;
    this.#start = start;
    this.#stopPageEvents = onPageEvents((event) => {
      if (event === 'pagehide' || event === 'freeze') {
        this.#paused = true;
        this.#drop();
        if (this.#positions.size > 0) this.#setStatus('connecting');
      } else if (event === 'pageshow' || event === 'resume') {
        if (this.#paused) this.#openSoon();
      } else if (!this.#paused) {
        const lost = this.#stream === undefined || Date.now() - this.#lastByte > SILENCE_MS;
        if (event === 'online') this.#pollUntil = 0;
        if (event === 'online' || (event === 'visible' && lost)) this.#openSoon();
      }
    });
  }

  follow(channel: string, after: string | undefined): void {
    this.#positions.set(channel, after);
    this.#change(channel);
  }

  unfollow(channel: string): void {
    this.#positions.delete(channel);
    this.#accepted.delete(channel);
    if (this.#positions.size === 0) this.#idle();
    // The cursor of a stream with a start knows what has not begun, and a list of positions does not.
    else if (this.#start === undefined) this.#change(channel);
    else this.#streamed.delete(channel);
  }

  close(): void {
    this.#stopPageEvents();
    this.#positions.clear();
    this.#idle();
  }

  #change(channel: string): void {
    this.#streamed.delete(channel);
    this.#cursor = undefined;
    if (this.#changed || this.#paused) return;
    this.#changed = true;
    if (this.#stream !== undefined) this.#openAfter(this.#ready ? COALESCE_MS : CHANGE_PATIENCE_MS);
    else if (this.#timer === undefined) this.#openSoon();
  }

  #openSoon(): void {
    this.#paused = false;
    this.#attempt = 0;
    if (this.#positions.size === 0) return;
    if (this.#status === 'closed') this.#setStatus('connecting');
    this.#openAfter(0);
  }

  #openAfter(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#positions.size > 0) this.#timer = setTimeout(() => void this.#open(), ms);
  }

  /** Opens again after a failure: after so many ms, or after a random time that grows. */
  #reopen(ms?: number): void {
    this.#drop();
    if (this.#positions.size === 0) return this.#idle();
    if (ms !== 0) this.#setStatus('connecting');
    const longest = Math.max(this.#retry, Math.min(LAST_BACK_OFF_MS, this.#retry * 2 ** this.#attempt));
    if (ms === undefined) this.#attempt++;
    this.#openAfter(Math.min(ms ?? Math.random() * longest, MAX_WAIT_MS));
  }

  #idle(): void {
    this.#drop();
    this.#accepted.clear();
    this.#setStatus('closed');
  }

  /** Lets go of the stream. */
  #drop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#timer = undefined;
    this.#stream?.abort();
    this.#stream = undefined;
    this.#access.tokens.streams.delete(this.#renewed);
    this.#streamed.clear();
    this.#changed = false;
  }

  readonly #renewed = (): void => this.#openAfter(0);

  async #open(): Promise<void> {
    this.#drop();
    const stream = new AbortController();
    this.#stream = stream;
    this.#access.tokens.streams.add(this.#renewed);
    this.#ready = false;
    this.#closing = undefined;
    let wait;
    try {
      wait = await this.#read(stream);
    } catch {
      // The network failed, or the answer was none of a broker. Comes back after a while.
    }
    const closing = this.#closing as Closing | undefined;
    if (stream === this.#stream) this.#reopen(closing?.retry ?? wait);
  }

  /** Reads a stream until it ends. Returns how long to wait until the next one, in ms, where that is known. */
  async #read(stream: AbortController): Promise<number | undefined> {
    const { tokens, withCredentials, fetch: send = fetch } = this.#access;
    const token = await tokens.get();
    if (stream !== this.#stream) return undefined;
    // Takes the changes of the meantime along.
    clearTimeout(this.#timer);
    this.#changed = false;
    for (const channel of this.#positions.keys()) this.#streamed.add(channel);
    const opened = Date.now();
    let begun = false;
    if (this.#pollUntil < opened) this.#pollUntil = 0;
    const polling = this.#pollUntil > 0;
    const watch = (ms: number): void => {
      this.#lastByte = Date.now();
      clearTimeout(this.#watch);
      this.#watch = setTimeout(
        () => this.#fallSilent(begun, Date.now() - opened),
        polling ? POLL_SILENCE_MS : ms,
      );
    };
    watch(FIRST_BYTE_MS);
    const response = await send(this.#address(polling), {
      signal: stream.signal,
      cache: 'no-store',
      credentials: withCredentials ? 'include' : 'same-origin',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const { status, headers } = response;
    if (status === 204) {
      for (const channel of this.#streamed) this.#end(channel);
      return 0;
    }
    if (status !== 200) return await this.#refuse(response, token);
    if (!headers.get('content-type')?.startsWith('text/event-stream')) throw new Error('This is no stream.');
    for (const channel of this.#streamed) this.#accepted.add(channel);
    const parser = new SseParser((event) => this.#receive(event));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (stream !== this.#stream) return undefined;
      if (done) break;
      begun = true;
      watch(SILENCE_MS);
      parser.feed(value);
      this.#retry = Math.min(parser.retry ?? this.#retry, MAX_WAIT_MS);
    }
    if (this.#closing?.reason === 'expired') tokens.refuse(token);
    return this.#ready && (polling || this.#start) ? 0 : undefined;
  }

  #address(polling: boolean): URL {
    const address = new URL(this.#access.url);
    const { searchParams } = address;
    searchParams.set('heartbeat', '5s');
    if (polling) searchParams.set('wait', '20s');
    for (const [name, value] of Object.entries(this.#start ?? {})) searchParams.set(name, value);
    const places: string[] = [];
    for (const [channel, position] of this.#positions) {
      searchParams.append('channel', channel);
      if (position !== undefined) places.push(`${channel}@${position}`);
    }
    const cursor = this.#cursor ?? places.join(',');
    if (cursor !== '') searchParams.set('last_event_id', cursor);
    return address;
  }

  #fallSilent(begun: boolean, life: number): void {
    this.#shortLives = life < SHORT_LIFE_MS ? this.#shortLives + 1 : 1;
    // Something on the way holds answers back until they are complete. A poll that gets no answer either proves it wrong.
    if (!begun && this.#pollUntil > 0) this.#pollUntil = 0;
    else if (!begun || this.#shortLives > 1) this.#pollUntil = Date.now() + POLLING_MS;
    this.#reopen();
  }

  async #refuse(response: Response, token: string | undefined): Promise<number | undefined> {
    const { status, headers } = response;
    // Asks for another token at once, and the next time later.
    if (status === 401 && this.#access.tokens.refuse(token)) return this.#attempt++ === 0 ? 0 : undefined;
    if (status >= 500 || [408, 425, 429].includes(status)) {
      const seconds = Number(headers.get('retry-after'));
      return seconds > 0 ? seconds * 1000 * (1 + Math.random()) : undefined;
    }
    const text = await response.text();
    const message = /"detail":"(.*?[^\\])"/.exec(text)?.[1] ?? `The broker answered with ${status}.`;
    const named = / (\S+)\.$/.exec(message)?.[1] ?? '';
    const added = [...this.#streamed].filter((channel) => !this.#accepted.has(channel));
    const code = status === 401 ? 'unauthorized' : status === 403 ? 'forbidden' : 'refused';
    const channels = this.#streamed.has(named) ? [named] : added;
    for (const channel of channels.length > 0 ? channels : [undefined]) {
      if (channel === undefined) this.#positions.clear();
      else this.#forget(channel);
      this.#listener.refused(channel, { code, status, message });
    }
    return 0;
  }

  #forget(channel: string): void {
    this.#streamed.delete(channel);
    this.#positions.delete(channel);
  }

  #end(channel: string): void {
    const position = this.#positions.get(channel) ?? '0-0';
    this.#forget(channel);
    this.#listener.end(channel, position);
  }

  #receive({ id: cursor, type, data }: ParsedEvent): void {
    const [, channel = '', id = ''] = /^([^@]*)@([^,]*)/.exec(cursor) ?? [];
    if (cursor !== '' && !this.#changed) this.#cursor = cursor;
    if (type === 'sluice:ready') this.#becomeReady(data);
    else if (type === 'sluice:closing') this.#close(data);
    else if (this.#streamed.has(channel)) {
      this.#positions.set(channel, id);
      if (type === 'sluice:end') this.#end(channel);
      else if (type === 'sluice:gap') {
        const { after, before } = JSON.parse(data) as { after: string | null; before: string | null };
        this.#listener.gap(channel, id, after, before);
      } else if (!type.startsWith('sluice:') || /:(cleared|deleted)$/.test(type))
        this.#listener.event(channel, id, type || 'message', data);
    }
  }

  #becomeReady(data: string): void {
    this.#ready = true;
    this.#attempt = 0;
    this.#setStatus(this.#pollUntil > 0 ? 'polling' : 'live');
    const { channels } = JSON.parse(data) as { channels: Record<string, string> };
    for (const [channel, position] of Object.entries(channels)) {
      if (!this.#streamed.has(channel)) continue;
      this.#positions.set(channel, position);
      this.#listener.ready(channel, position);
    }
    if (this.#changed) this.#openAfter(COALESCE_MS);
  }

  #close(data: string): void {
    this.#closing = JSON.parse(data) as Closing;
    this.#listener.closing(this.#closing.reason);
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#listener.status(status);
  }
}
