/** Sentences for the error of a failed call. One of them follows the sentence that says why the call failed. */
export interface FailureWords {
  /** Says that the log has done nothing. */
  readonly nothingDone: string;
  /** Says what to do next when the log has probably done nothing. */
  readonly next: string;
  /** Says what to do next when the log may have carried out the call. */
  readonly unknown: string;
}

export const APPEND_WORDS: FailureWords = {
  nothingDone: 'Nothing was published.',
  next: 'Try again with the same Idempotency-Key.',
  unknown: 'The event may have been published. Try again with the same Idempotency-Key.',
};
export const CHECK_WORDS: FailureWords = {
  nothingDone: 'Nothing was published.',
  next: 'Try again with the same Idempotency-Key.',
  unknown: 'Nothing was published. Try again with the same Idempotency-Key.',
};
export const CLEAR_WORDS: FailureWords = {
  nothingDone: 'Nothing was deleted.',
  next: 'Try again.',
  unknown: 'The channel may have been deleted. Try again.',
};
export const READ_WORDS: FailureWords = {
  nothingDone: 'Nothing was read.',
  next: 'Try again.',
  unknown: 'Try again.',
};
