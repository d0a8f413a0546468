/** Stands for no block, at the end of a chain. Block 0 is never used. */
export const NONE = 0;

const BLOCK_BYTES = 128;
const WORDS = BLOCK_BYTES / 4;
const DOUBLES = BLOCK_BYTES / 8;
/** The bytes of a block and its link. */
const COST = BLOCK_BYTES + 4;
/** A chunk has 1 MiB. The operating system provides the pages of a chunk when they are first written. */
const BLOCKS_PER_CHUNK = 8_192;
const SHIFT = 13;
const MASK = BLOCKS_PER_CHUNK - 1;

interface Chunk {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  /** For each block, the next block of its chain. */
  readonly next: Uint32Array;
}

/**
 * Memory in blocks of equal size, for millions of records that live long. A buffer for each record would take more memory
 * than most records hold. The garbage collector would free dropped buffers only after the heap has doubled. Here, the next
 * record reuses freed blocks, whatever its size.
 *
 * A record is a chain of blocks. The number of its first block names the record. A record begins with numbers, all of them in
 * the first block.
 */
export class BlockStore {
  readonly #chunks: Chunk[] = [];
  #free = NONE;
  #fresh = NONE + 1;
  #used = 0;

  /** The memory of all records, in bytes. */
  get bytes(): number {
    return this.#used * COST;
  }

  /** Returns the memory of a record with `length` bytes. */
  cost(length: number): number {
    return Math.ceil(length / BLOCK_BYTES) * COST;
  }

  allocate(length: number): number {
    const first = this.#take();
    let last = first;
    for (let rest = length - BLOCK_BYTES; rest > 0; rest -= BLOCK_BYTES) {
      const block = this.#take();
      this.#link(last, block);
      last = block;
    }
    this.#link(last, NONE);
    return first;
  }

  release(record: number): void {
    let last = record;
    let count = 1;
    for (let next = this.#next(last); next !== NONE; next = this.#next(last)) {
      last = next;
      count++;
    }
    this.#link(last, this.#free);
    this.#free = record;
    this.#used -= count;
  }

  word(record: number, index: number): number {
    return this.#chunk(record).words[(record & MASK) * WORDS + index] as number;
  }

  setWord(record: number, index: number, value: number): void {
    this.#chunk(record).words[(record & MASK) * WORDS + index] = value;
  }

  double(record: number, index: number): number {
    return this.#chunk(record).doubles[(record & MASK) * DOUBLES + index] as number;
  }

  setDouble(record: number, index: number, value: number): void {
    this.#chunk(record).doubles[(record & MASK) * DOUBLES + index] = value;
  }

  /** Returns the position of the byte at `offset`. */
  position(record: number, offset: number): number {
    let block = record;
    let rest = offset;
    for (; rest >= BLOCK_BYTES; rest -= BLOCK_BYTES) block = this.#next(block);
    return block * BLOCK_BYTES + rest;
  }

  /** Writes the first `length` bytes of `source`. Returns the position after them. */
  write(position: number, source: Buffer, length: number): number {
    return this.#copy(position, source, 0, length, true);
  }

  /**
   * Writes two ASCII texts one after the other into a record, whose memory is reached by one call when its blocks are neighbours.
   * Returns false, and writes nothing, when they are not.
   */
  writeTexts(record: number, offset: number, first: string, second: string): boolean {
    const length = offset + first.length + second.length;
    let last = record;
    for (let rest = length - BLOCK_BYTES; rest > 0; rest -= BLOCK_BYTES) {
      const next = this.#next(last);
      if (next !== last + 1 || (next & MASK) === 0) return false;
      last = next;
    }
    const { bytes } = this.#chunk(record);
    let at = (record & MASK) * BLOCK_BYTES + offset;
    // The first text has three characters in nearly all records. A call to write costs more than three stores.
    for (let i = 0; i < first.length; i++) bytes[at++] = first.charCodeAt(i);
    bytes.write(second, at, 'latin1');
    return true;
  }

  /** Copies `length` bytes to `target`, from `start` on. */
  read(position: number, target: Buffer, start: number, length: number): void {
    this.#copy(position, target, start, length, false);
  }

  /** Whether the bytes at `position` equal the characters of `text`, which are all below 256. */
  matches(position: number, text: string): boolean {
    let block = Math.floor(position / BLOCK_BYTES);
    let offset = position % BLOCK_BYTES;
    for (let i = 0; i < text.length; i++) {
      if (offset === BLOCK_BYTES) {
        block = this.#next(block);
        offset = 0;
      }
      if (this.#chunk(block).bytes[(block & MASK) * BLOCK_BYTES + offset] !== text.charCodeAt(i))
        return false;
      offset++;
    }
    return true;
  }

  #copy(position: number, other: Buffer, start: number, length: number, into: boolean): number {
    let block = Math.floor(position / BLOCK_BYTES);
    let offset = position - block * BLOCK_BYTES;
    let done = 0;
    for (;;) {
      // Copies neighbouring blocks together: most records consist of neighbouring blocks.
      let last = block;
      let run = BLOCK_BYTES - offset;
      while (run < length - done) {
        const next = this.#next(last);
        if (next !== last + 1 || (next & MASK) === 0) break;
        last = next;
        run += BLOCK_BYTES;
      }
      const size = Math.min(run, length - done);
      const { bytes } = this.#chunk(block);
      const at = (block & MASK) * BLOCK_BYTES + offset;
      if (into) other.copy(bytes, at, start + done, start + done + size);
      else bytes.copy(other, start + done, at, at + size);
      done += size;
      if (done === length)
        return size < run ? block * BLOCK_BYTES + offset + size : this.#next(last) * BLOCK_BYTES;
      block = this.#next(last);
      offset = 0;
    }
  }

  #take(): number {
    this.#used++;
    const block = this.#free;
    if (block !== NONE) {
      this.#free = this.#next(block);
      return block;
    }
    if (this.#fresh >>> SHIFT === this.#chunks.length) this.#chunks.push(newChunk());
    return this.#fresh++;
  }

  #chunk(block: number): Chunk {
    return this.#chunks[block >>> SHIFT] as Chunk;
  }

  #next(block: number): number {
    return this.#chunk(block).next[block & MASK] as number;
  }

  #link(block: number, next: number): void {
    this.#chunk(block).next[block & MASK] = next;
  }
}

function newChunk(): Chunk {
  const bytes = Buffer.allocUnsafeSlow(BLOCKS_PER_CHUNK * BLOCK_BYTES);
  return {
    bytes,
    words: new Uint32Array(bytes.buffer),
    doubles: new Float64Array(bytes.buffer),
    next: new Uint32Array(BLOCKS_PER_CHUNK),
  };
}
