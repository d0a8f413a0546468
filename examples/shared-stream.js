// One event stream for all tabs of an origin. Over HTTP/1.1 a browser opens six connections to a host, for all tabs together:
// six tabs with a stream each would leave none for anything else. Here the tabs elect one of them with a Web Lock. The elected
// tab opens one stream with the channels of all tabs, and passes the events on over a BroadcastChannel. When that tab is closed,
// the browser gives the lock to the next tab, which goes on from the ids that the tabs have seen.
//
// Web Locks need a secure context: https, or localhost. Elsewhere each tab opens a stream of its own.

/**
 * @typedef {object} Received
 * @property {string} channel
 * @property {string} id the event's id in its channel. A later shareStream can begin after it
 * @property {string} type `message` for events without a type; also `sluice:gap`, `sluice:end`, `sluice:ready`
 * @property {string} data
 */

/** How long a newly elected tab waits for the other tabs to name their channels, in ms. A later one reopens the stream. */
const COLLECT_MS = 50;
/** How long to wait after an answer that makes a browser give up, in ms: from once to three times this. */
const RETRY_MS = 5_000;

/**
 * @param {string} url the broker's address with the path `/events`
 * @param {object} options
 * @param {readonly string[]} options.channels
 * @param {readonly string[]} [options.types] an EventSource delivers only types that it knows
 * @param {Readonly<Record<string, string>>} [options.after] ids of channels to begin after; without one a channel begins live
 * @param {boolean} [options.withCredentials]
 * @param {(event: Received) => void} options.onEvent
 * @returns {{ close(): void }}
 */
export function shareStream(url, options) {
  const { types = ['message'], onEvent } = options;
  const tab = String(Math.random());
  let channels = [...options.channels];
  /** The id of the newest event of each channel that this tab has seen. */
  const positions = new Map(Object.entries(options.after ?? {}));
  /** Channels whose next event may have any id, because the log may be a new one. */
  const afterGap = new Set();
  /** Set while this tab is the elected one. */
  let opener;

  const receive = (event) => {
    const { channel, id, type, data } = event;
    if (!channels.includes(channel)) return;
    const seen = positions.get(channel);
    if (type === 'sluice:gap') {
      const { before } = JSON.parse(data);
      // The gap is behind this tab: only another tab has missed events.
      if (seen !== undefined && before !== null && !isBefore(seen, before)) return;
      afterGap.add(channel);
      positions.set(channel, id);
    } else if (type === 'sluice:end') {
      channels = channels.filter((one) => one !== channel);
    } else {
      // The stream begins where the tab that is furthest behind goes on. The others have seen some events already.
      if (seen !== undefined && !afterGap.has(channel) && !isBefore(seen, id)) return;
      afterGap.delete(channel);
      positions.set(channel, id);
    }
    if (types.includes(type) || type.startsWith('sluice:')) onEvent(event);
  };

  /** @param {Readonly<Record<string, string>>} tails the position of each channel of the stream */
  const becomeReady = (tails) => {
    for (const channel of channels) {
      const tail = tails[channel];
      if (tail === undefined) continue;
      const seen = positions.get(channel);
      if (seen === undefined || isBefore(seen, tail)) positions.set(channel, tail);
      onEvent({ channel, id: tail, type: 'sluice:ready', data: '' });
    }
  };

  const wish = () => ({ kind: 'wish', tab, channels, types, positions: Object.fromEntries(positions) });
  const deliver = (message) => {
    if (message.kind === 'event') receive(message.event);
    else if (message.kind === 'ready' && (message.to ?? tab) === tab) becomeReady(message.positions);
  };
  const open = (toOthers) => {
    opener = new Opener(url, options.withCredentials ?? false, (message) => {
      toOthers(message);
      deliver(message);
    });
    opener.add(wish());
  };
  if (navigator.locks === undefined) {
    open(() => undefined);
    return { close: () => opener.close() };
  }

  const name = `sluice ${url}`;
  const others = new BroadcastChannel(name);
  others.onmessage = ({ data: message }) => {
    if (message.kind === 'wish') opener?.add(message);
    else if (message.kind === 'gone') opener?.remove(message.tab);
    else if (message.kind === 'elected') others.postMessage(wish());
    else deliver(message);
  };
  const closing = new AbortController();
  const { signal } = closing;
  const elected = async () => {
    open((message) => others.postMessage(message));
    others.postMessage({ kind: 'elected' });
    // Holds the lock until this tab closes the stream, or is closed itself.
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  navigator.locks.request(name, { signal }, elected).catch((error) => {
    if (!signal.aborted) throw error;
  });
  others.postMessage(wish());
  const leave = () => others.postMessage({ kind: 'gone', tab });
  addEventListener('pagehide', leave, { signal });
  return {
    close() {
      leave();
      closing.abort();
      opener?.close();
      others.close();
    },
  };
}

/** The stream of the elected tab. */
class Opener {
  #url;
  #withCredentials;
  #send;
  /** The channels of each tab. */
  #wishes = new Map();
  #types = new Set(['sluice:gap', 'sluice:end']);
  /** Where the stream is in each channel. */
  #positions = new Map();
  /** The channels of the open stream. */
  #channels = new Set();
  #source;
  #isReady = false;
  #timer;

  constructor(url, withCredentials, send) {
    this.#url = url;
    this.#withCredentials = withCredentials;
    this.#send = send;
  }

  /** Adds the wishes of a tab. Opens the stream again when it lacks a channel, or is ahead of the tab. */
  add({ tab, channels, types, positions }) {
    this.#wishes.set(tab, channels);
    let reopen = false;
    for (const channel of channels) {
      const theirs = positions[channel];
      const ours = this.#positions.get(channel);
      const isBehind = theirs !== undefined && (ours === undefined || isBefore(theirs, ours));
      if (isBehind) this.#positions.set(channel, theirs);
      if (isBehind || !this.#channels.has(channel)) reopen = true;
    }
    for (const type of types) if (!this.#types.has(type)) this.#listen(type);
    if (reopen) this.#openAfter(COLLECT_MS);
    else if (this.#isReady) this.#sendReady(tab);
  }

  /** The stream keeps the channels of a tab that has gone until it is opened again. */
  remove(tab) {
    this.#wishes.delete(tab);
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #openAfter(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  #open() {
    this.close();
    this.#channels = new Set([...this.#wishes.values()].flat());
    if (this.#channels.size === 0) return;
    const address = new URL(this.#url, location.href);
    for (const channel of this.#channels) address.searchParams.append('channel', channel);
    const places = [...this.#channels].filter((channel) => this.#positions.has(channel));
    const cursor = places.map((channel) => `${channel}@${this.#positions.get(channel)}`).join(',');
    if (cursor !== '') address.searchParams.set('last_event_id', cursor);
    this.#isReady = false;
    this.#source = new EventSource(address, { withCredentials: this.#withCredentials });
    for (const type of this.#types) this.#listen(type);
    this.#source.addEventListener('sluice:ready', ({ data }) => {
      this.#isReady = true;
      for (const [channel, id] of Object.entries(JSON.parse(data).channels)) this.#positions.set(channel, id);
      this.#sendReady();
    });
    this.#source.addEventListener('error', ({ target }) => {
      // A browser reconnects by itself, but gives up after an error status, such as a 502 of a proxy.
      if (target === this.#source && target.readyState === EventSource.CLOSED)
        this.#openAfter(RETRY_MS * (1 + 2 * Math.random()));
    });
  }

  #listen(type) {
    this.#types.add(type);
    this.#source?.addEventListener(type, ({ data, lastEventId, target }) => {
      // A connection's own `error` and `open` events have no data. The stream before may still have events in its queue.
      if (data === undefined || target !== this.#source) return;
      // The id is <channel>@<event id>,<rest>.
      const [channel = '', rest = ''] = lastEventId.split('@');
      const [id = ''] = rest.split(',');
      this.#positions.set(channel, id);
      this.#send({ kind: 'event', event: { channel, id, type, data } });
      if (type === 'sluice:end') this.#end(channel);
    });
  }

  /** An ended channel gets no more events. The stream closes with its last channel. */
  #end(ended) {
    for (const [tab, channels] of this.#wishes)
      this.#wishes.set(
        tab,
        channels.filter((channel) => channel !== ended),
      );
    this.#channels.delete(ended);
    if (this.#channels.size === 0) this.#source.close();
  }

  /** @param {string} [to] one tab; otherwise all */
  #sendReady(to) {
    this.#send({ kind: 'ready', to, positions: Object.fromEntries(this.#positions) });
  }
}

/** Compares two ids, <ms>-<seq>. */
function isBefore(one, other) {
  const [ms, seq] = one.split('-').map(Number);
  const [otherMs, otherSeq] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && seq < otherSeq);
}
