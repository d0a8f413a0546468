// Follows a channel and publishes to it, with the installed packages: node round-trip.mjs URL KEY
import { connect, iterate } from '@sluice/client';
import { createPublisher } from '@sluice/client/publisher';

const [url, key] = process.argv.slice(2);
const client = connect(url);
const publisher = createPublisher({ url, key });
const ready = Promise.withResolvers();
const events = iterate(client, 'answers', { onReady: ready.resolve });
await ready.promise;
await publisher.publish('answers', 'one', { event: 'word' });
await publisher.publish('answers', 'two', { close: true });
for await (const { event, data } of events) console.log(event, data);
await publisher.close();
client.close();
