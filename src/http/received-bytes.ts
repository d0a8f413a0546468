/**
 * What has come over a connection and is not dealt with yet. Room for more is doubled whenever it runs out, so that a request in
 * packets of one byte is copied twice and not once for each of them.
 */
export class ReceivedBytes {
  #room: Buffer | undefined;
  #length = 0;

  /** Undefined when there is nothing. Good until the next call. */
  get bytes(): Buffer | undefined {
    return this.#room?.length === this.#length ? this.#room : this.#room?.subarray(0, this.#length);
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#room === undefined) {
      // The usual case, in which it is a whole request: it is taken as it is, and never written to.
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
