/**
 * The bytes of a connection that were not handled yet. The room doubles whenever it runs out, so that a request in
 * packets of one byte costs linear time.
 */
export class ReceivedBytes {
  #room: Buffer | undefined;
  #length = 0;

  /** Undefined when there are none. Valid until the next call of `add`. */
  get bytes(): Buffer | undefined {
    return this.#room?.length === this.#length ? this.#room : this.#room?.subarray(0, this.#length);
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#room === undefined) {
      // The usual case: the chunk is a whole request. It is kept as it is and never written to.
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
