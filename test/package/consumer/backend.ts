// A backend: uses every type of the publisher. The test compiles this file where the packages are installed.
import { createPublisher, SluicePublishError } from '@sluice/client/publisher';
import type {
  Published,
  Publisher,
  PublisherOptions,
  PublishOptions,
  Uploaded,
  UploadOptions,
  UploadSource,
} from '@sluice/client/publisher';

const options: PublisherOptions = {
  url: 'https://events.example.com',
  getToken: () => Promise.resolve('token'),
  maxQueuedEvents: 100,
  maxQueuedBytes: 1_000_000,
  maxBatchEvents: 10,
  maxBatchBytes: 100_000,
  maxRequests: 2,
  lingerMs: 5,
  timeoutMs: 10_000,
  requestTimeoutMs: 1_000,
};
const publishing: PublishOptions = { event: 'created', key: '42', signal: AbortSignal.timeout(1_000) };
const uploading: UploadOptions = { each: 'line', close: true };

async function* words(): AsyncGenerator<string> {
  yield 'word\n';
}

export async function run(): Promise<string> {
  await using publisher: Publisher = createPublisher(options);
  const source: UploadSource = words();
  try {
    await publisher.ready();
    const { id }: Published = await publisher.publish('orders.42', { total: 12 }, publishing);
    const { published }: Uploaded = await publisher.upload('answer.1', source, uploading);
    await publisher.flush();
    return `${id} ${published}`;
  } catch (error) {
    if (error instanceof SluicePublishError) return error.code;
    throw error;
  }
}

// @ts-expect-error A publisher needs the URL of a broker.
createPublisher({ key: 'a key' });
