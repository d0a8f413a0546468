import type { FastifyReply, FastifyRequest } from 'fastify';
import { BrokerError } from '../events/errors.ts';
import { allowLongUpload, refuseUpload } from '../http/long-uploads.ts';
import type { PublishAnswer } from '../publish/publish-answer.ts';
import type { PublishAttempt, UploadHead } from '../publish/publish-attempt.ts';
import type { Upload, UploadResult } from '../publish/upload.ts';

/** How long an upload may send nothing, in ms. */
export const UPLOAD_SILENCE_MS = 60_000;

/**
 * Publishes an upload while it arrives (docs/protocol.md §2). Returns undefined when an answer has been sent,
 * or nobody waits for one. (A promise of a reply would wait until the reply is sent.)
 * @param silence how long the upload may send nothing, in ms
 * @throws BrokerError for an upload that has arrived completely
 */
export async function publishUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  { attempt, head, silence }: { attempt: PublishAttempt; head: UploadHead; silence: number },
): Promise<PublishAnswer | undefined> {
  const { raw } = request;
  const upload = attempt.upload(head, request.headers['idempotency-key']);
  allowLongUpload(request);
  const timer = setTimeout(() => {
    // The broker itself makes the upload wait.
    if (upload.isFull) timer.refresh();
    else upload.stop(new BrokerError('request-timeout', `No byte came for ${silence / 1_000} s.`));
  }, silence);
  feed(request, upload, () => timer.refresh());
  try {
    const result = await upload.result;
    if (attempt.rateHeaders !== undefined) reply.headers({ ...attempt.rateHeaders });
    return { json: answerOf(head, result), replayed: result.replayed };
  } catch (error) {
    if (attempt.rateHeaders !== undefined) reply.headers({ ...attempt.rateHeaders });
    if (raw.complete || !(error instanceof BrokerError)) throw error;
    if (raw.destroyed) reply.hijack();
    else refuseUpload(request, reply, error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function feed({ raw }: FastifyRequest, upload: Upload, onBytes: () => void): void {
  upload.onDrain = () => {
    onBytes();
    raw.resume();
  };
  raw.on('data', (chunk: Buffer) => {
    onBytes();
    if (!upload.write(chunk)) raw.pause();
  });
  raw.once('end', () => upload.complete());
  raw.on('error', () => upload.breakOff());
  raw.once('close', () => upload.breakOff());
  // The connection may have closed while the upload waited for its turn.
  if (raw.destroyed) upload.breakOff();
}

function answerOf({ channel }: UploadHead, { published, first, last }: UploadResult): string {
  return JSON.stringify({ channel, published, first: first ?? null, last: last ?? null });
}
