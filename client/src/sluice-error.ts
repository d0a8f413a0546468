import type { SluiceErrorCode, SluiceErrorLike } from './types.ts';

/** Why a subscription cannot go on. `message` is what the broker said. */
export class SluiceError extends Error implements SluiceErrorLike {
  override readonly name = 'SluiceError';
  readonly code: SluiceErrorCode;
  /** The HTTP status of the broker's answer. */
  readonly status: number;

  constructor({ code, status, message }: { code: SluiceErrorCode; status: number; message: string }) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
