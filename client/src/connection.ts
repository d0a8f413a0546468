import type { Link, LinkListener } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { parseEvents } from './sse-parser.ts';
import type { Tokens } from './tokens.ts';
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
/** How long the first byte of a stream may take, in ms. */
const FIRST_BYTE_MS = 8_000;
/** A stream without a byte for so long is lost, in ms: the broker sends heartbeats every 5 s. */
const SILENCE_MS = 10_000;
/** As long as a poll waits, and some time for its answer, in ms. */
const POLL_SILENCE_MS = 30_000;
/** How long to poll before the next try with a stream, in ms. */
const POLLING_MS = 300_000;
const FIRST_BACK_OFF_MS = 500;
const LAST_BACK_OFF_MS = 30_000;
/** No wait that the server asks for is longer, in ms. */
const MAX_WAIT_MS = 600_000;

/**
 * Opens one stream for any number of channels, which comes back where it was.
 * @param url the address of streams
 * @param start parameters that say where channels begin. Then all channels have to be followed in one turn
 */
export function openConnection(
  url: string,
  { fetch: send = fetch, withCredentials }: ConnectOptions,
  tokens: Tokens,
  listener: LinkListener,
  start?: Readonly<Record<string, string>>,
): Link {
  /** The position in each channel that is followed; undefined where it is not known yet. */
  const positions = new Map<string, string | undefined>();
  /** The channels of the open stream, without those that were moved or left since. */
  const streamed = new Set<string>();
  /** The newest id of the stream. Empty when it does not match the positions. */
  let cursor = '';
  let stream: AbortController | undefined;
  /** Opens the next stream. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Notices silence. */
  let watch: ReturnType<typeof setTimeout> | undefined;
  let lastByte = 0;
  /** Whether channels changed since the stream was opened. */
  let changed: boolean | undefined;
  let ready: boolean | undefined;
  let paused: boolean | undefined;
  let retry = FIRST_BACK_OFF_MS;
  let attempt = 0;
  let silences = 0;
  /** Polls until then, in ms since 1970. */
  let pollUntil = 0;
  let polling: boolean | undefined;
  /** The first poll ends at once, and so shows that polls get through. */
  let isFirstPoll = true;
  /** The data of `sluice:closing`; `retry` is in ms. */
  let closing: { readonly reason?: string; readonly retry?: number } = {};

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
    if (!start) tokens.renewed = undefined;
    streamed.clear();
    changed = false;
    if (positions.size > 0) return;
    listener.status('closed');
    // A start is brought once.
    if (start) stopPageEvents();
  };
  const openSoon = (): void => {
    paused = false;
    attempt = 0;
    openAfter(0);
  };
  const change = (channel: string): void => {
    streamed.delete(channel);
    cursor = '';
    if (changed || paused) return;
    changed = true;
    if (stream) openAfter(ready ? COALESCE_MS : CHANGE_PATIENCE_MS);
    else if (!timer) openAfter(0);
  };
  /** Opens again after a failure: after so many ms, or after a random time that grows. */
  const reopen = (ms?: number): void => {
    drop();
    if (positions.size === 0) return;
    if (ms !== 0) {
      listener.status('connecting');
      isFirstPoll = true;
    }
    const longest = Math.max(retry, Math.min(LAST_BACK_OFF_MS, retry * 2 ** attempt));
    if (ms === undefined) attempt++;
    openAfter(ms ?? Math.random() * longest);
  };
  const open = async (): Promise<void> => {
    drop();
    if (positions.size === 0) return;
    const own = (stream = new AbortController());
    if (!start) tokens.renewed = openSoon;
    ready = false;
    closing = {};
    let wait;
    try {
      wait = await read(own);
    } catch {
      // The network failed, or the answer was none of a broker. Comes back after a while.
    }
    if (stream === own) reopen(closing.retry || wait);
  };

  const address = (): string => {
    const places = [...positions].filter(([, position]) => position).map((place) => place.join('@'));
    const newest = cursor || places.join(',');
    const query = new URLSearchParams({
      heartbeat: '5s',
      ...(polling && { wait: isFirstPoll ? '0s' : '20s' }),
      ...start,
      ...(newest && { last_event_id: newest }),
    });
    for (const channel of positions.keys()) query.append('channel', channel);
    return `${url}?${query.toString()}`;
  };

  /** Reads a stream until it ends. Returns how long to wait until the next one, in ms, where that is known. */
  const read = async (own: AbortController): Promise<number | undefined> => {
    const token = await tokens.get();
    if (stream !== own) return undefined;
    // Takes the changes of the meantime along.
    clearTimeout(timer);
    changed = false;
    for (const channel of positions.keys()) streamed.add(channel);
    const opened = Date.now();
    let begun = false;
    polling = pollUntil > opened;
    const arm = (ms: number): void => {
      lastByte = Date.now();
      clearTimeout(watch);
      watch = setTimeout(
        () => {
          // Something on the way holds answers back until they are complete. A poll without an answer proves it wrong.
          if (!begun || silences++) pollUntil = polling && !begun ? 0 : Date.now() + POLLING_MS;
          reopen();
        },
        polling ? POLL_SILENCE_MS : ms,
      );
    };
    arm(FIRST_BYTE_MS);
    const response = await send(address(), {
      signal: own.signal,
      cache: 'no-store',
      credentials: withCredentials ? 'include' : 'same-origin',
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
    if (response.status === 204) {
      for (const channel of streamed) end(channel);
      return 0;
    }
    if (response.status !== 200) {
      const problem = (await response.json().catch(() => ({}))) as Problem;
      return stream === own ? refuse(response.status, problem, token) : undefined;
    }
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) throw new Error('no stream');
    const feed = parseEvents(receive, (ms) => (retry = ms));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (stream !== own) return undefined;
      if (done) break;
      begun = true;
      arm(SILENCE_MS);
      feed(value);
    }
    if (closing.reason === 'expired') tokens.refuse(token);
    return ready && (polling || start) ? 0 : undefined;
  };

  /** Returns how long to wait, as {@link read}. */
  const refuse = (status: number, { detail, channel }: Problem, token?: string): number | undefined => {
    // Asks for another token at once, and the next time later.
    if (status === 401 && tokens.refuse(token)) return attempt++ ? undefined : 0;
    if (status > 499 || [408, 425, 429].includes(status)) return undefined;
    const code = ({ 401: 'unauthorized', 403: 'forbidden' } as const)[status] ?? 'refused';
    const error = { code, status, message: detail ?? `HTTP status ${status}` } as const;
    // The broker names one channel, or it is a channel that was added, or all.
    const added = [...streamed].filter((one) => !positions.get(one));
    const all = added.length > 0 ? added : [...streamed];
    for (const one of channel && streamed.has(channel) ? [channel] : all) {
      forget(one);
      listener.refused(one, error);
    }
    return 0;
  };

  const forget = (channel: string): void => {
    streamed.delete(channel);
    positions.delete(channel);
  };
  const end = (channel: string): void => {
    const position = positions.get(channel) ?? '0-0';
    forget(channel);
    listener.end(channel, position);
  };

  const receive = (id: string, type: string, data: string): void => {
    const [channel = '', own = ''] = id.split(/[@,]/, 2);
    const kind = type.startsWith('sluice:') ? type.slice(7) : '';
    if (!changed) cursor = id || cursor;
    if (kind === 'closing') {
      closing = JSON.parse(data) as typeof closing;
      listener.closing(closing.reason as string);
    } else if (kind === 'ready') {
      ready = true;
      isFirstPoll = false;
      attempt = 0;
      listener.status(polling ? 'polling' : 'live');
      const { channels } = JSON.parse(data) as { channels: Record<string, string> };
      for (const one of streamed)
        if (channels[one]) {
          positions.set(one, channels[one]);
          listener.ready(one, channels[one]);
        }
      if (changed) openAfter(COALESCE_MS);
    } else if (streamed.has(channel)) {
      positions.set(channel, own);
      if (kind === 'end') end(channel);
      else if (kind === 'gap') {
        const { after, before } = JSON.parse(data) as { after: string | null; before: string | null };
        listener.gap(channel, own, after, before);
      } else if (!kind || kind === 'cleared' || kind === 'deleted')
        listener.event(channel, own, type || 'message', data);
    }
  };

  const stopPageEvents = onPageEvents((event) => {
    if (event === 'pagehide' || event === 'freeze') {
      drop();
      paused = true;
    } else if (
      event !== 'hidden' &&
      (paused || event === 'online' || !stream || Date.now() - lastByte > SILENCE_MS)
    ) {
      pollUntil = 0;
      openSoon();
    }
  });

  return {
    follow(channel, after) {
      positions.set(channel, after);
      change(channel);
    },
    unfollow(channel) {
      forget(channel);
      if (positions.size === 0) drop();
      // The cursor of a stream with a start knows what has not begun, and a list of positions does not.
      else if (!start) change(channel);
    },
    close() {
      stopPageEvents();
      positions.clear();
      drop();
    },
  };
}
