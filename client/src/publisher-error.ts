/** The members of an error that concern the publish. */
export interface PublishErrorDetails {
  readonly detail: string;
  readonly status?: number | undefined;
  readonly published?: number | undefined;
  readonly tail?: string | undefined;
  readonly mayBePublished?: boolean | undefined;
  readonly cause?: unknown;
}

/** A publish or an upload that was not acknowledged. */
export class SluicePublishError extends Error {
  override readonly name = 'SluicePublishError';
  /**
   * The last part of the problem's type, such as `channel-ended`, `tail-mismatch`, `forbidden` or `invalid-body`. Other
   * codes come from the publisher itself:
   *
   * - `queue-full`: too many events wait already; see `ready()`.
   * - `timeout`: not acknowledged within `timeoutMs`; `cause` is the last failure.
   * - `closed`: the publisher was closed before.
   * - `network`: the connection of an upload failed.
   * - `unexpected-answer`: the answer does not come from a broker; is the URL right?
   */
  readonly code: string;
  /** The HTTP status of the last answer; undefined without one. */
  readonly status: number | undefined;
  /** What is wrong, for people. */
  readonly detail: string;
  /** How many events of an upload are in the log; undefined when that is not known. */
  readonly published: number | undefined;
  /** The tail of the channel, when `ifLast` was not the tail. */
  readonly tail: string | undefined;
  /** Whether the events may be in the log all the same, because an answer was lost. */
  readonly mayBePublished: boolean;

  constructor(
    code: string,
    { detail, status, published, tail, mayBePublished = false, cause }: PublishErrorDetails,
  ) {
    super(`${code}: ${detail}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.published = published;
    this.tail = tail;
    this.mayBePublished = mayBePublished;
  }
}
