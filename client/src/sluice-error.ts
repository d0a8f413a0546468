import type { SluiceErrorCode, SluiceErrorLike } from './types.ts';

/** Why a subscription cannot go on. `message` is what the broker said. */
export class SluiceError extends Error implements SluiceErrorLike {
  override readonly name = 'SluiceError';
  declare readonly code: SluiceErrorCode;
  /** The HTTP status of the broker's answer. */
  declare readonly status: number;

  constructor(error: { code: SluiceErrorCode; status: number; message: string }) {
    super(error.message);
    Object.assign(this, error);
  }
}
