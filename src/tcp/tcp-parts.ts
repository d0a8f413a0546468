import type { TcpBinding, TcpHandle, WriteRequest } from './tcp-handle.ts';

/** How many bytes one read takes at the most. libuv suggests the same. */
const READ_BYTES = 64 * 1024;

/**
 * Node's parts, the request that the next write takes, and the buffer that each read fills. All connections share them. Without
 * a buffer of its own, Node allocates 64 KiB for each read, and an `ArrayBuffer` over what arrived.
 */
export class TcpParts {
  readonly binding: TcpBinding;
  readonly #reads = Buffer.allocUnsafeSlow(READ_BYTES);
  #spare: WriteRequest;

  constructor(binding: TcpBinding) {
    this.binding = binding;
    this.#spare = new binding.WriteWrap();
  }

  /** What the last read was: a number of bytes, or a negative error code. */
  get lastRead(): number {
    return this.binding.streamBaseState[this.binding.kReadBytesOrError] ?? 0;
  }

  /** Has the handle read into the shared buffer. */
  takeReads(handle: TcpHandle): void {
    handle.useUserBuffer(this.#reads);
  }

  /** What the last read of a number of bytes has brought. Valid until the next turn of the event loop. */
  bytes(length: number): Buffer {
    return this.#reads.subarray(0, length);
  }

  /** Has the `onread` of the handle get the bytes of each read as a copy. There is no way back to Node's own buffers. */
  copyReads(handle: TcpHandle): void {
    const { onread } = handle;
    const next = (bytes: ArrayBuffer | undefined): ArrayBuffer | undefined =>
      this.lastRead > 0 ? new Uint8Array(this.bytes(this.lastRead)).buffer : bytes;
    handle.onread = function (bytes) {
      onread.call(this, next(bytes));
    };
  }

  /** A request for one write. Node forgets it at once when the kernel takes all bytes, so that the next write takes it again. */
  get request(): WriteRequest {
    return this.#spare;
  }

  /** Whether libuv keeps the request of the last write. Then that request is used up. */
  get isKept(): boolean {
    const { streamBaseState, kLastWriteWasAsync, WriteWrap } = this.binding;
    if (streamBaseState[kLastWriteWasAsync] === 0) return false;
    this.#spare = new WriteWrap();
    return true;
  }
}
