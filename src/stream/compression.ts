import type { ChannelName } from '../events/channel-name.ts';
import { Compressor } from './compressor.ts';
import type { CompressionFigures } from './compressor.ts';
import { GzipBody } from './gzip-body.ts';
import { GzipChannel } from './gzip-channel.ts';

/** The compression of a replica's streams: each run of events is compressed once for all of them. */
export class Compression {
  readonly #compressor = new Compressor();
  readonly #channels = new Map<ChannelName, GzipChannel>();

  get figures(): Readonly<CompressionFigures> {
    return this.#compressor.figures;
  }

  /** The body of a new stream. For a stream of one channel, {@link join} has to follow when the stream begins. */
  body(): GzipBody {
    return new GzipBody(this.#compressor);
  }

  /** From here on the stream shares its bytes with the others of the channel. The caller has to {@link leave} it. */
  join(name: ChannelName, body: GzipBody): void {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = new GzipChannel(this.#compressor)));
    channel.connections++;
    body.audience = channel;
  }

  leave(name: ChannelName): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    channel.connections--;
    if (channel.connections > 0) return;
    this.#channels.delete(name);
    channel.close();
  }
}
