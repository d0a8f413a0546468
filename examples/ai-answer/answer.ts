import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@sluice/client';
import { convertToModelMessages, JsonToSseTransformStream, streamText, toUIMessageStream } from 'ai';
import type { LanguageModel, ToolSet } from 'ai';
import { AnswerEvents } from './answer-events.ts';
import type { Broker } from './broker.ts';
import type { ChatMessage } from './chat-state.ts';

/** How often the backend uploads an answer before it gives up. */
const ATTEMPTS = 20;

/**
 * In ms. Doubles each time, up to 8 s, because an upload that is sent again is work for the broker. The time is random, so that
 * many answers do not come back together.
 */
const retryDelay = (attempt: number): number => Math.min(250 * 2 ** attempt, 8_000) * (0.5 + Math.random());

export interface AnswerOptions {
  readonly broker: Broker;
  readonly model: LanguageModel;
  readonly chatId: string;
  /** The id of the answer's message, and the last part of the names of its channels. */
  readonly id: string;
  /** Everything said so far. */
  readonly messages: readonly ChatMessage[];
  /** Called with the whole answer before its channel ends. */
  readonly onEnd: (message: ChatMessage) => void;
}

/** Runs the model and uploads its answer, whether somebody reads the answer or not. Call it after `beginAnswer`. */
export async function runAnswer(options: AnswerOptions): Promise<void> {
  const events = new AnswerEvents();
  await Promise.all([generate(options, events), upload(options, events)]);
}

/** Runs the model until it has finished, has failed, or has been stopped from a page. */
async function generate(
  { broker, model, chatId, id, messages, onEnd }: AnswerOptions,
  events: AnswerEvents,
): Promise<void> {
  const stop = new AbortController();
  const channel = `stops.${chatId}.${id}`;
  const client = connect(broker.url, { getToken: () => broker.token({ subscribe: [channel] }) });
  client.subscribe(channel, { after: 'earliest', onEvent: () => stop.abort() });
  let failure: string | undefined;
  const result = streamText({
    model,
    messages: await convertToModelMessages([...messages]),
    abortSignal: stop.signal,
    maxRetries: 0,
    onError: () => undefined,
  });
  const stream = toUIMessageStream<ToolSet, ChatMessage>({
    stream: result.stream,
    // beginAnswer() has published the start.
    sendStart: false,
    originalMessages: [...messages],
    generateMessageId: () => id,
    onError: (error) => (failure = error instanceof Error ? error.message : String(error)),
    onEnd: ({ responseMessage, isAborted }) =>
      onEnd({
        ...responseMessage,
        metadata: { stopped: isAborted, ...(failure !== undefined && { failure }) },
      }),
  });
  try {
    for await (const event of stream.pipeThrough(new JsonToSseTransformStream())) {
      if (!events.append(event)) stop.abort();
    }
  } finally {
    events.end();
    client.close();
  }
}

/** Publishes the start of the answer. From then on the answer's channel is active, and readers can follow it. */
export async function beginAnswer({ broker, chatId, id }: AnswerOptions): Promise<void> {
  const start = { type: 'start', messageId: id };
  await broker.publisher.publish(`answers.${chatId}.${id}`, start, { idempotencyKey: `begin-${id}` });
}

/**
 * Uploads the events as they come, and ends the channel. When the upload breaks, all of it is sent again. The broker knows the
 * idempotency keys, and publishes only what is missing.
 */
async function upload(options: AnswerOptions, events: AnswerEvents): Promise<void> {
  const { chatId, id } = options;
  const { publisher } = options.broker;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      // A broker that has forgotten everything needs the start again.
      if (attempt > 1) await beginAnswer(options);
      // Tells all pages of the chat that there is an answer to follow.
      await publisher.publish(`chats.${chatId}`, id, { event: 'answer', idempotencyKey: `announce-${id}` });
      await publisher.upload(`answers.${chatId}.${id}`, events.read(), {
        each: 'event',
        close: true,
        idempotencyKey: id,
      });
      return;
    } catch (error) {
      console.error('The upload of the answer broke off:', error);
    }
    await delay(retryDelay(attempt));
  }
}
