import { brokerUrl } from './broker-url.js';
import { channelNameFault } from './channel-name.js';
import { closingText } from './closing-notice.js';
import { gapNotice, notice, readyNotice, rowOf } from './event-notice.js';
import { startOf } from './page-link.js';
import { readProblem } from './problem.js';
import { connect } from './sluice-client.js';

/**
 * @typedef {import('./event-store.js').NewRow} NewRow
 * @typedef {import('../../client/src/index.ts').SluiceClient} SluiceClient
 * @typedef {import('../../client/src/index.ts').Subscription} Subscription
 * @typedef {'connecting' | 'live' | 'refused' | 'ended'} ChannelState
 * @typedef {object} Followed a channel of the view
 * @property {string} channel
 * @property {ChannelState} state
 * @property {string} reason why it is refused
 * @property {number} status the HTTP status of the refusal; 0 when the page itself refuses it
 * @property {string | undefined} position where to go on after a refusal
 * @property {boolean} saysReady whether the next `ready` is worth a notice
 * @property {Subscription | undefined} subscription
 * @typedef {object} FeedWishes
 * @property {readonly string[]} channels
 * @property {string} start such as `last=10`
 * @property {string} token empty for none
 */

/** Follows the channels of the view with one client, and makes rows of what happens. */
export class ChannelFeed {
  /** @type {Map<string, Followed>} */
  #followed = new Map();
  /** @type {SluiceClient | undefined} */
  #client;
  /** @type {FeedWishes} */
  #wishes = { channels: [], start: '', token: '' };
  #onRow;
  #onChange;
  /** Whether the connection was live since it was opened. */
  #wasLive = false;
  /** What keeps the stream from opening, or has ended it. Empty while all is well. */
  #trouble = '';

  /**
   * @param {(row: NewRow) => void} onRow
   * @param {() => void} onChange called when the state of the connection or of a channel has changed
   */
  constructor(onRow, onChange) {
    this.#onRow = onRow;
    this.#onChange = onChange;
  }

  /** @returns {readonly Followed[]} */
  get channels() {
    return [...this.#followed.values()];
  }

  get wishes() {
    return this.#wishes;
  }

  /** Whether some channel has, or waits for, a stream. */
  get isActive() {
    return this.channels.some(({ subscription }) => subscription !== undefined);
  }

  /** @returns {'closed' | 'connecting' | 'live' | 'polling' | 'waiting' | 'refused' | 'ended'} */
  get state() {
    if (this.isActive) {
      const status = this.#client?.status ?? 'connecting';
      return status === 'connecting' && this.#wasLive ? 'waiting' : status;
    }
    if (this.channels.some(({ state }) => state === 'refused')) return 'refused';
    return this.#followed.size > 0 ? 'ended' : 'closed';
  }

  /**
   * Follows these channels from now on. Channels that are followed already go on undisturbed, unless the token is another.
   *
   * @param {FeedWishes} wishes
   */
  follow(wishes) {
    const hasNewToken = wishes.token !== this.#wishes.token;
    this.#wishes = wishes;
    for (const one of this.channels) if (!wishes.channels.includes(one.channel)) this.remove(one.channel);
    if (hasNewToken || !this.isActive) this.#closeClient();
    for (const channel of wishes.channels) {
      const one = this.#followed.get(channel);
      if (one?.subscription === undefined && one?.state !== 'ended') this.#subscribe(channel, one?.position);
    }
    this.#onChange();
  }

  /** @param {string} channel */
  retry(channel) {
    const one = this.#followed.get(channel);
    if (!this.isActive) this.#closeClient();
    if (one !== undefined && one.subscription === undefined) this.#subscribe(channel, one.position);
    this.#onChange();
  }

  /** @param {string} channel */
  remove(channel) {
    const one = this.#followed.get(channel);
    this.#followed.delete(channel);
    one?.subscription?.close();
    this.#wishes = { ...this.#wishes, channels: this.#wishes.channels.filter((name) => name !== channel) };
    this.#onChange();
  }

  close() {
    this.#closeClient();
    this.#followed.clear();
    this.#wishes = { channels: [], start: '', token: '' };
    this.#onChange();
  }

  /**
   * Where a channel is now: a cursor.
   *
   * @param {string} channel
   */
  positionOf(channel) {
    const one = this.#followed.get(channel);
    return one?.subscription?.position ?? one?.position;
  }

  #closeClient() {
    for (const one of this.#followed.values()) {
      one.position = one.subscription?.position ?? one.position;
      one.subscription = undefined;
    }
    const client = this.#client;
    this.#client = undefined;
    client?.close();
    this.#wasLive = false;
    this.#trouble = '';
  }

  /**
   * @param {string} channel
   * @param {string | undefined} position
   */
  #subscribe(channel, position) {
    /** @type {Followed} */
    const one = {
      channel,
      state: 'connecting',
      reason: '',
      status: 0,
      position,
      saysReady: true,
      subscription: undefined,
    };
    this.#followed.set(channel, one);
    const fault = channelNameFault(channel);
    if (fault !== undefined) {
      this.#refuse(one, 0, `This is not a valid channel name: ${fault}.`);
      return;
    }
    this.#client ??= this.#connect();
    one.subscription = this.#client.subscribe(channel, {
      ...(position === undefined ? startOf(this.#wishes.start, channel) : { after: position }),
      onEvent: (event) => this.#onRow(rowOf(event)),
      onReady: (ready) => this.#showReady(one, ready),
      onGap: (gap) => this.#onRow(gapNotice(gap)),
      onEnd: () => {
        this.#leave(one, 'ended');
        this.#onRow(notice('end', channel, 'The channel has ended. No more events will follow.'));
        this.#onChange();
      },
      onError: ({ status, message }) => this.#refuse(one, status, message),
    });
  }

  /** @returns {SluiceClient} */
  #connect() {
    const { token } = this.#wishes;
    const client = connect(brokerUrl(''), {
      // The client asks again when the broker refuses the token. The page has no other: see #checkAnswer.
      ...(token !== '' && { getToken: () => token }),
      onStatus: (status) => {
        if (this.#client === client) this.#showStatus(status);
      },
      onClosing: (reason) => this.#showTrouble(closingText(reason)),
      fetch: async (address, options) => {
        try {
          const response = await fetch(address, options);
          if (this.#client === client) await this.#checkAnswer(response, token);
          return response;
        } catch (error) {
          if (this.#client === client && options?.signal?.aborted !== true)
            this.#showTrouble('The broker does not answer.');
          throw error;
        }
      },
    });
    return client;
  }

  /**
   * Reads an answer that the client does not report: a refused token, and answers that it tries again after.
   *
   * @param {Response} response
   * @param {string} token
   */
  async #checkAnswer(response, token) {
    const { status, headers } = response;
    if (status === 200 && !/^text\/event-stream\b/.test(headers.get('content-type') ?? ''))
      this.#showTrouble('The answer is no event stream. A proxy may be in the way.');
    if (status < 400 || (status !== 401 && status < 500 && status !== 408 && status !== 429)) return;
    const problem = await readProblem(response.clone());
    const detail = problem.detail || response.statusText;
    if (status !== 401) this.#showTrouble(`The broker answered with ${status}: ${detail}`);
    else if (token !== '') {
      // Without a name, the refusal is for all channels. The named one may have been removed meanwhile.
      const { channel } = problem;
      for (const one of this.channels)
        if (one.subscription !== undefined && (channel === '' || channel === one.channel))
          this.#refuse(one, status, detail);
    }
  }

  /** @param {import('../../client/src/index.ts').Status} status */
  #showStatus(status) {
    if (status === 'connecting' && this.#wasLive) {
      const why = this.#trouble || 'The connection was lost.';
      this.#onRow(
        notice('note', '', `${why} The page comes back by itself, after the last event that it has.`),
      );
      for (const one of this.channels)
        if (one.subscription !== undefined) {
          one.state = 'connecting';
          one.saysReady = true;
        }
    } else if (status === 'live' || status === 'polling') {
      this.#wasLive = true;
      this.#trouble = '';
    }
    this.#onChange();
  }

  /**
   * Something keeps the stream from opening or from going on. The client comes back by itself.
   *
   * @param {string} why
   */
  #showTrouble(why) {
    // While the stream is open, the end of the stream says it.
    if (this.#client?.status === 'connecting' && why !== this.#trouble)
      this.#onRow(notice('note', '', `${why} The page tries again by itself.`));
    this.#trouble = why;
  }

  /**
   * @param {Followed} one
   * @param {string} position
   */
  #showReady(one, position) {
    one.state = 'live';
    if (one.saysReady) {
      this.#onRow(readyNotice(one.channel, position));
      one.saysReady = false;
    }
    this.#onChange();
  }

  /**
   * @param {Followed} one
   * @param {number} status
   * @param {string} reason
   */
  #refuse(one, status, reason) {
    one.status = status;
    one.reason = reason;
    this.#leave(one, 'refused');
    const what = status === 0 ? 'Not opened' : `Refused with ${status}`;
    this.#onRow(notice('refused', one.channel, `${what}: ${reason}`));
    this.#onChange();
  }

  /**
   * @param {Followed} one
   * @param {'refused' | 'ended'} state
   */
  #leave(one, state) {
    const { subscription } = one;
    one.state = state;
    one.position = subscription?.position ?? one.position;
    one.subscription = undefined;
    subscription?.close();
  }
}
