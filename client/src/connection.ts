import type { Link, LinkListener, Tokens } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { parseEvents } from './sse-parser.ts';
import type { ConnectOptions } from './types.ts';

/** What a refusal says: RFC 9457. */
interface Problem {
  readonly detail?: string;
  /** The channel that is refused, when the broker names it. */
  readonly channel?: string;
}

/** Channels that change within this time are changed together, in ms. */
const COALESCE_MS = 20;
/** How long a change waits for a stream that is not ready, in ms. */
const CHANGE_PATIENCE_MS = 1_000;
/** A stream without a byte for so long is lost, in ms. The broker sends its first bytes at once, and heartbeats every 5 s. */
const SILENCE_MS = 8_000;
/** As long as a poll waits, and some time for its answer, in ms. */
const POLL_SILENCE_MS = 30_000;
/** How long to poll before the next try with a stream, in ms. */
const POLLING_MS = 300_000;
const FIRST_BACK_OFF_MS = 500;
/** The back-off grows up to so many reconnection times. */
const MAX_BACK_OFF = 16;
/** No wait that the server asks for is longer, in ms. */
const MAX_WAIT_MS = 600_000;

/**
 * Opens one stream for any number of channels, which comes back where it was.
 * @param url the address of streams
 * @param start the parameter that says where channels begin. Then all channels have to be followed in one turn
 */
export function openConnection(
  url: string,
  { fetch: send = fetch, withCredentials }: ConnectOptions,
  tokens: Tokens,
  listener: LinkListener,
  start: string,
): Link {
  /** The position in each channel that is followed; undefined where it is not known yet. */
  const positions = new Map<string, string | undefined>();
  /** The channels of the open stream, without those that were moved or left since. */
  const streamed = new Set<string>();
  const life = new AbortController();
  /** The newest id of the stream. Empty when it does not match the positions. */
  let cursor = '';
  let stream: AbortController | undefined;
  let token: string | undefined;
  /** Opens the next stream. While a stream is ready, it is set only when channels changed. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Notices silence. */
  let watch: ReturnType<typeof setTimeout> | undefined;
  /** When the open stream brought its last byte, in ms since 1970. */
  let lastByte = 0;
  let ready = false;
  let retry = FIRST_BACK_OFF_MS;
  let attempt = 0;
  /** How long to wait until the next stream, in ms; undefined for a random time that grows. */
  let pause: number | undefined;
  let silences = 0;
  /** How long a poll waits. The first poll ends at once, and so shows that polls get through. Empty for a stream. */
  let wait = start && '0s';
  /** In ms since 1970. */
  let pollUntil = start ? Infinity : 0;

  const openAfter = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void open(), Math.min(ms, MAX_WAIT_MS));
  };
  /** Lets go of the stream. */
  const drop = (): void => {
    clearTimeout(timer);
    clearTimeout(watch);
    stream?.abort();
    stream = timer = undefined;
    ready = false;
    lastByte = 0;
    streamed.clear();
    tokens.renewed = undefined;
    if (positions.size) return;
    listener.status('connecting');
    // A start is brought once.
    if (start) life.abort();
  };
  const openSoon = (): void => {
    attempt = 0;
    openAfter(0);
  };
  const change = (channel: string): void => {
    streamed.delete(channel);
    cursor = '';
    if (!timer) openAfter(!stream ? 0 : ready ? COALESCE_MS : CHANGE_PATIENCE_MS);
  };
  /** Opens again after the pause. */
  const reopen = (): void => {
    drop();
    if (pause !== 0) {
      listener.status('connecting');
      wait &&= '0s';
    }
    const longest = retry * Math.min(MAX_BACK_OFF, 2 ** attempt);
    if (pause === undefined) attempt++;
    openAfter(pause ?? Math.random() * longest);
  };
  const open = async (): Promise<void> => {
    drop();
    if (!positions.size) return;
    const { signal } = (stream = new AbortController());
    tokens.renewed = openSoon;
    pause = undefined;
    try {
      await read(signal);
    } catch {
      // The network failed, or the answer was none of a broker. Comes back after a while.
    }
    if (!signal.aborted) reopen();
  };

  const address = (): string => {
    const places = [...positions].filter(([, position]) => position).map((place) => place.join('@'));
    const newest = encodeURIComponent(cursor || places.join());
    // An empty cursor is the same as none, and a cursor wins over a start.
    const query = `?${start}&heartbeat=5s${wait && `&wait=${wait}`}&last_event_id=${newest}`;
    const names = [...positions.keys()].map((channel) => `&channel=${encodeURIComponent(channel)}`);
    return url + query + names.join('');
  };

  /** Reads a stream until it ends. */
  const read = async (signal: AbortSignal): Promise<void> => {
    token = await tokens.get();
    signal.throwIfAborted();
    // Takes the changes of the meantime along.
    clearTimeout(timer);
    timer = undefined;
    for (const channel of positions.keys()) streamed.add(channel);
    if (pollUntil < Date.now()) wait = '';
    let begun = false;
    const arm = (): void => {
      lastByte = Date.now();
      clearTimeout(watch);
      watch = setTimeout(
        () => {
          // Something on the way holds answers back until they are complete. A poll without an answer proves it wrong.
          if (!begun || silences++) {
            wait = wait && !begun ? '' : '0s';
            pollUntil = Date.now() + POLLING_MS;
          }
          reopen();
        },
        wait === '20s' ? POLL_SILENCE_MS : SILENCE_MS,
      );
    };
    arm();
    const response = await send(address(), {
      signal,
      // Firefox holds a request back while another tab's stream with the same URL is open, unless the cache is out of it.
      cache: 'no-store',
      ...(withCredentials && { credentials: 'include' }),
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
    if (response.status === 204) {
      pause = 0;
      for (const channel of streamed) end(channel);
    } else if (response.status !== 200) {
      const problem = (await response.json().catch(() => ({}))) as Problem;
      signal.throwIfAborted();
      refuse(response.status, problem);
    } else {
      // Without a pause the streams would be a storm.
      const feed = parseEvents(receive, (ms) => (retry = ms || retry));
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        signal.throwIfAborted();
        if (done) break;
        begun = true;
        arm();
        feed(value);
      }
      if (ready && wait) pause ||= 0;
    }
  };

  const refuse = (status: number, { detail, channel = '' }: Problem): void => {
    if (status === 401 && tokens.refuse(token)) {
      // Asks for another token at once, and the next time later.
      if (attempt++ === 0) pause = 0;
    } else if (!timer && /^4(?!08|29)/.test(`${status}`)) {
      // Where channels changed since, the next stream shows what is refused.
      const code = status === 401 ? 'unauthorized' : status === 403 ? 'forbidden' : 'refused';
      const error = { name: 'SluiceError', code, status, message: detail ?? `HTTP ${status}` } as const;
      // The broker names a channel. Otherwise it may be one channel too many, and the others go on without the newest.
      const refused = streamed.has(channel) ? channel : ([...streamed].pop() as string);
      pause = 0;
      forget(refused);
      listener.refused(refused, error);
    }
  };

  const forget = (channel: string): void => {
    streamed.delete(channel);
    positions.delete(channel);
  };
  const end = (channel: string): void => {
    const position = positions.get(channel) as string;
    forget(channel);
    listener.end(channel, position);
  };

  const receive = (id: string, type: string, data: string): void => {
    const [channel, own] = id.split(/[@,]/, 2) as [string, string];
    if (!timer) cursor = id || cursor;
    if (type === 'sluice:closing') {
      const { reason, retry: ms } = JSON.parse(data) as { reason: string; retry?: number };
      pause = ms || undefined;
      if (reason === 'expired') tokens.refuse(token);
      listener.closing(reason);
    } else if (type === 'sluice:ready') {
      ready = true;
      attempt = 0;
      wait &&= '20s';
      listener.status(wait ? 'polling' : 'live');
      const { channels } = JSON.parse(data) as { channels: Record<string, string> };
      for (const one of streamed)
        if (channels[one]) {
          const from = positions.get(one);
          positions.set(one, channels[one]);
          listener.ready(one, channels[one], from);
        }
      if (timer) openAfter(COALESCE_MS);
    } else if (streamed.has(channel)) {
      const from = positions.get(channel);
      positions.set(channel, own);
      if (type === 'sluice:end') end(channel);
      else if (type === 'sluice:gap') {
        const { after, before } = JSON.parse(data) as { after: string | null; before: string | null };
        listener.gap(channel, own, after, before);
      } else if (!/^sluice:(?!cleared$|deleted$)/.test(type))
        listener.event(channel, own, type || 'message', data, from);
    }
  };

  onPageEvents((event) => {
    if (/pagehide|freeze/.test(event)) drop();
    else if (event === 'online' || Date.now() - lastByte > SILENCE_MS) {
      pollUntil = 0;
      openSoon();
    }
  }, life.signal);

  return {
    follow(channel, after) {
      positions.set(channel, after);
      change(channel);
    },
    unfollow(channel) {
      forget(channel);
      if (!positions.size) drop();
      // The cursor of a stream with a start knows what has not begun, and a list of positions does not.
      else if (!start) change(channel);
    },
    close() {
      life.abort();
      positions.clear();
      drop();
    },
  };
}
