import { fieldsOf, notABroker, objectsIn } from './answer-fields.ts';
import { apiPath } from './broker-api.ts';
import type { BrokerApi } from './broker-api.ts';
import { NoAnswerError, RefusedError } from './broker-errors.ts';
import { CliError, Interruption } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { ndjsonBodies } from './ndjson-bodies.ts';
import type { NdjsonBody } from './ndjson-bodies.ts';
import { counted } from './readable-values.ts';
import { graceSignal, openInput, untilInterrupted, uploadBody, withProgress } from './upload.ts';
import type { Each } from './upload.ts';

/** The broker reads no more of an upload while its log lags. */
const UPLOAD_SILENCE_MS = 120_000;

interface UploadOptions {
  readonly channel: string;
  readonly each: Each;
  readonly file?: string;
  readonly event?: string;
  readonly stateKey?: string;
  readonly ifLast?: string;
  readonly idempotencyKey?: string;
  readonly close?: boolean;
  readonly json: boolean;
}

interface UploadAnswer {
  readonly channel: string;
  readonly published: number;
  readonly first: string | null;
  readonly last: string | null;
}

/** Publishes each line, or each event, of the input in one request, as it arrives. */
export async function publishUpload(
  context: CliContext,
  api: BrokerApi,
  options: UploadOptions,
): Promise<void> {
  const { stderr, stdout, stdin, signal } = context;
  const { channel, each, file, event, stateKey, ifLast, idempotencyKey } = options;
  if (file === undefined && stdin.isTTY)
    await stderr.line(stderr.style('dim', 'Each line is an event. Ctrl-D ends the input.'));
  const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const condition = ifLast === undefined ? {} : { 'if-match': ifLast };
  const input = openInput(context, file);
  let answer: UploadAnswer;
  let replayed = false;
  try {
    const { body, headers } = await api.request({
      method: 'POST',
      as: 'publisher',
      path: apiPath('publish', channel),
      query: { each, event, key: stateKey },
      headers: { 'content-type': 'application/octet-stream', ...key, ...condition },
      body: uploadBody(context, withProgress(context, input.bytes), each),
      signal: graceSignal(signal),
      silenceMs: UPLOAD_SILENCE_MS,
    });
    answer = uploadAnswer(body);
    replayed = headers['idempotent-replayed'] === 'true';
  } catch (error) {
    if (error instanceof Interruption)
      await stderr.line('Interrupted, and the broker did not say what it has published.');
    if (error instanceof NoAnswerError)
      throw new CliError(`${error.message} It did not say what it has published.`);
    throw error;
  } finally {
    input.close();
  }
  // Only a complete upload ends its channel.
  if (options.close === true && !signal.aborted)
    await endChannel(api, channel, answer.published === 0 ? condition : {}, replayed);
  if (options.json) await stdout.json(answer);
  else if (answer.last !== null) await stdout.line(stdout.foreign(answer.last));
  await reportCount(context, answer.published, answer.last);
}

/** @throws CliError when the answer does not say what was published */
function uploadAnswer(body: unknown): UploadAnswer {
  const fields = fieldsOf(body);
  if (typeof fields['published'] !== 'number') throw notABroker();
  return fields as unknown as UploadAnswer;
}

async function endChannel(
  api: BrokerApi,
  channel: string,
  headers: Readonly<Record<string, string>>,
  replayed: boolean,
): Promise<void> {
  try {
    await api.request({
      method: 'POST',
      as: 'publisher',
      path: apiPath('publish', channel),
      query: { close: 'true' },
      headers,
    });
  } catch (error) {
    // The first attempt with this idempotency key has ended the channel.
    if (replayed && error instanceof RefusedError && error.code === 'channel-ended') return;
    throw error;
  }
}

interface NdjsonOptions {
  readonly file: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly json: boolean;
}

interface PublishedEvent {
  readonly channel: string;
  readonly id: string;
}

/** Publishes the events of NDJSON, in bodies of many events. With `json` it prints the channel and the id of each event. */
export async function publishNdjson(
  context: CliContext,
  api: BrokerApi,
  { file, json, idempotencyKey }: NdjsonOptions,
): Promise<void> {
  const { signal, stdout } = context;
  const grace = graceSignal(signal);
  stdout.mayClose();
  const input = openInput(context, file);
  // An incomplete line is dropped at Ctrl-C, because no body is sent after it.
  const bytes = untilInterrupted(withProgress(context, input.bytes), signal);
  let published = 0;
  let last: string | null = null;
  let number = 0;
  try {
    for await (const body of ndjsonBodies(bytes, { eager: idempotencyKey === undefined })) {
      if (signal.aborted) break;
      number++;
      const key = idempotencyKey === undefined ? {} : { 'idempotency-key': `${idempotencyKey}.${number}` };
      const answer = await publishBody(api, { body, key, grace, published });
      published += body.events;
      last = answer.at(-1)?.id ?? last;
      if (json) for (const one of answer) await stdout.json(one);
    }
  } finally {
    input.close();
  }
  if (!json && last !== null && !signal.aborted) await stdout.line(stdout.foreign(last));
  await reportCount(context, published, last);
}

interface BodyRequest {
  readonly body: NdjsonBody;
  readonly key: Readonly<Record<string, string>>;
  readonly grace: AbortSignal;
  /** Events of the bodies before. */
  readonly published: number;
}

async function publishBody(
  api: BrokerApi,
  { body, key, grace, published }: BodyRequest,
): Promise<readonly PublishedEvent[]> {
  try {
    const answer = await api.json({
      method: 'POST',
      as: 'publisher',
      path: apiPath('publish'),
      headers: { 'content-type': 'application/x-ndjson', ...key },
      body: body.bytes,
      signal: grace,
    });
    return objectsIn(fieldsOf(answer), 'events') as readonly unknown[] as readonly PublishedEvent[];
  } catch (error) {
    const { firstLine } = body;
    if (error instanceof RefusedError && error.status < 500 && firstLine > 1) {
      const message = `In the lines from ${firstLine} on, counted from there: ${error.message}`;
      throw withCount(new RefusedError(message, error.status, error.problem), published);
    }
    if (error instanceof NoAnswerError) {
      const last = counted(body.events, 'event');
      throw withCount(new CliError(`${error.message} The last ${last} may have been published.`), published);
    }
    throw withCount(error, published);
  }
}

/** Adds to an error what the bodies before have published. The broker says it of the body itself. */
function withCount(error: unknown, before: number): unknown {
  if (!(error instanceof CliError) || error instanceof Interruption || before === 0) return error;
  return new CliError(`${error.message} Published before that: ${counted(before, 'event')}.`, error.exitCode);
}

async function reportCount(
  { stderr, signal }: CliContext,
  published: number,
  last: string | null,
): Promise<void> {
  const interrupted = signal.aborted ? 'Interrupted: ' : '';
  const end = last === null ? '' : `, the last ${stderr.foreign(last)}`;
  await stderr.line(`${interrupted}${counted(published, 'event')} published${end}`);
}
