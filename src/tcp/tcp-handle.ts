import type { Server } from 'node:net';

/**
 * The parts of Node that `node:net` is made of (lib/net.js, lib/internal/stream_base_commons.js, src/stream_base.cc; the same in
 * Node 22 to 26). They are undocumented, so {@link tcpBinding} checks each before it is used. Without them the broker works
 * over `node:net`.
 */
export interface TcpHandle {
  /** Called with the bytes; with undefined for an error and for the end. */
  onread: (this: TcpHandle, bytes: ArrayBuffer | undefined) => void;
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Each of these methods returns 0, or a negative error code of libuv. */
  readStart(): number;
  readStop(): number;
  /** From now on reads go into this buffer, and `onread` gets no bytes. */
  useUserBuffer(buffer: Uint8Array): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeUtf8String(request: WriteRequest, text: string): number;
  /** With `allBuffers` false the list has an encoding behind each part. */
  writev(request: WriteRequest, parts: readonly unknown[], allBuffers: boolean): number;
  shutdown(request: HandleRequest): number;
  reset(done: () => void): number;
  close(done: () => void): void;
  setNoDelay(enable: boolean): number;
  /** @param delay in seconds */
  setKeepAlive(enable: boolean, delay: number): number;
  getpeername(found: { address?: string }): number;
}

/** A request to a handle that ends later. */
export interface HandleRequest {
  oncomplete: (this: HandleRequest, status: number) => void;
}

/** Node takes a request object for each write, and uses it only when the kernel does not take all bytes at once. */
export interface WriteRequest extends HandleRequest {
  /** Keeps the bytes in memory as long as libuv has them. */
  bytes?: unknown;
}

export interface TcpBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => HandleRequest;
  /** Says what the last call of a handle did, at the places below. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

/** The handle of a server that listens. Node calls `onconnection` for each accepted connection. */
export interface ListeningHandle {
  onconnection: OnConnection;
  setNoDelay(enable: boolean): number;
  setKeepAlive(enable: boolean, delay: number): number;
}

type OnConnection = (this: ListeningHandle, error: number | undefined, client: TcpHandle) => void;

/** Node keeps this undocumented method (DEP0111) for programs like this one. */
interface WithBinding {
  binding(name: string): Partial<TcpBinding>;
}

const HANDLE_METHODS = [
  'readStart',
  'readStop',
  'useUserBuffer',
  'writeBuffer',
  'writeLatin1String',
  'writeUtf8String',
  'writev',
  'shutdown',
  'reset',
  'close',
  'setNoDelay',
  'setKeepAlive',
  'getpeername',
] as const;

/** Returns undefined when Node does not give its parts away: a permission model is on, or they have changed. */
export function tcpBinding(): TcpBinding | undefined {
  let found: Partial<TcpBinding>;
  try {
    found = (process as unknown as WithBinding).binding('stream_wrap');
  } catch {
    return undefined;
  }
  const isWhole =
    typeof found.WriteWrap === 'function' &&
    typeof found.ShutdownWrap === 'function' &&
    found.streamBaseState instanceof Int32Array &&
    typeof found.kReadBytesOrError === 'number' &&
    typeof found.kLastWriteWasAsync === 'number';
  return isWhole ? (found as TcpBinding) : undefined;
}

/** Returns undefined when the server does not listen on TCP as expected. */
export function listeningHandle(server: Server): ListeningHandle | undefined {
  const { _handle: handle } = server as unknown as { _handle?: Partial<ListeningHandle> | null };
  const isWhole =
    typeof handle?.onconnection === 'function' &&
    typeof handle.setNoDelay === 'function' &&
    typeof handle.setKeepAlive === 'function';
  return isWhole ? (handle as ListeningHandle) : undefined;
}

/** Whether an accepted connection has all that {@link TcpHandle} says. */
export function isTcpHandle(handle: Partial<TcpHandle>): handle is TcpHandle {
  return (
    typeof handle.writeQueueSize === 'number' &&
    HANDLE_METHODS.every((name) => typeof handle[name] === 'function')
  );
}
