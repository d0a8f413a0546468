/**
 * The received bytes of a connection that were not handled yet. The buffer doubles when it is full, so a request in packets of
 * one byte costs linear time.
 */
export class ReceivedBytes {
  #room: Buffer | undefined;
  #length = 0;

  /** Undefined without bytes. Valid until the next call of `add`. */
  get bytes(): Buffer | undefined {
    return this.#room?.length === this.#length ? this.#room : this.#room?.subarray(0, this.#length);
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#room === undefined) {
      // In the usual case the chunk is a whole request. Keeps the chunk without a copy, and never writes to it.
      this.#room = chunk;
    } else {
      if (length > this.#room.length) {
        const more = Buffer.allocUnsafeSlow(2 * length);
        this.#room.copy(more, 0, 0, this.#length);
        this.#room = more;
      }
      chunk.copy(this.#room, this.#length);
    }
    this.#length = length;
  }

  clear(): void {
    this.#room = undefined;
    this.#length = 0;
  }
}
