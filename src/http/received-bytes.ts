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

  /** Copies the chunk. */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#room === undefined || length > this.#room.length) {
      // Nothing more may arrive, so the first chunk gets as much room as it takes.
      const more = Buffer.allocUnsafeSlow(this.#room === undefined ? length : 2 * length);
      this.#room?.copy(more, 0, 0, this.#length);
      this.#room = more;
    }
    chunk.copy(this.#room, this.#length);
    this.#length = length;
  }

  clear(): void {
    this.#room = undefined;
    this.#length = 0;
  }
}
