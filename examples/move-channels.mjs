// Moves all channels from one broker to another over HTTP, such as from a log on disk to Redis, or back:
//
//   MOVE_FROM=http://localhost:3000 MOVE_FROM_KEY=<a publish key> \
//   MOVE_TO=http://localhost:3001 MOVE_TO_KEY=<a publish key> \
//   node examples/move-channels.mjs move.progress
//
// It moves events in their order, with their types and keys, then the state and the end of each channel. The file notes
// how far each channel is. Run the same command again to go on after a failure, or to move what was published since.
// Ids change, because each broker gives its own. docs/operations.md says what else changes.
//
// Where channels are not public, the script asks for a token with the publish key. Where the broker makes no tokens, set
// MOVE_FROM_TOKEN and MOVE_TO_TOKEN to tokens that may subscribe to every channel.
import { randomUUID } from 'node:crypto';
import { appendFileSync, createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** The target appends up to 256 events and 1 MiB of one channel in one step: all of them or none. */
const BATCH_EVENTS = 256;
const BATCH_BYTES = 512 * 1024;
const PAGE_EVENTS = 1_000;
/** Channels that are moved at the same time. */
const WORKERS = 8;
const ATTEMPTS = 10;
const TIMEOUT_MS = 30_000;
// Passing failures: too many requests, the log is down or full, or a proxy found no broker.
const PASSING = new Set([429, 502, 503, 504]);

/** A channel that cannot be moved. The others can. */
class ChannelError extends Error {}

function connect(name) {
  const { [name]: url, [`${name}_KEY`]: key, [`${name}_TOKEN`]: givenToken } = process.env;
  let token = givenToken;

  /** Repeats a request that failed for a passing reason. */
  async function send(path, { method = 'GET', credential = key, headers = {}, body } = {}) {
    const authorization = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
    for (let attempt = 1; ; attempt++) {
      const request = { method, headers: { ...authorization, ...headers }, body };
      const answer = await fetch(`${url}${path}`, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) })
        .then(async (response) => ({
          status: response.status,
          text: await response.text(),
          retryAfterMs: Number(response.headers.get('retry-after')) * 1_000,
        }))
        .catch((error) => ({ status: 0, text: String(error.cause ?? error) }));
      if (answer.status !== 0 && !PASSING.has(answer.status)) return answer;
      if (attempt === ATTEMPTS) throw new Error(`${url}${path}: ${answer.status || ''} ${answer.text}`);
      await delay(Math.max(answer.retryAfterMs ?? 0, Math.random() * Math.min(2 ** attempt * 100, 10_000)));
    }
  }

  const postJson = (path, value, headers) => {
    const json = { 'content-type': 'application/json', ...headers };
    return send(path, { method: 'POST', headers: json, body: JSON.stringify(value) });
  };

  /** Reads as a subscriber. A publish key does not subscribe, so a channel that is not public needs a token. */
  async function read(path) {
    let answer = await send(path, { credential: token });
    if (answer.status === 401 && givenToken === undefined) {
      const made = await postJson('/tokens', { subscribe: ['*'], ttl: 86_400 });
      if (made.status !== 200) throw new Error(`${url}: set ${name}_TOKEN to read channels. ${made.text}`);
      ({ token } = JSON.parse(made.text));
      answer = await send(path, { credential: token });
    }
    return answer;
  }

  return { url, key, send, postJson, read };
}

const [source, target] = [connect('MOVE_FROM'), connect('MOVE_TO')];
const totals = { channels: 0, events: 0, failed: 0 };

/** How far each channel is: its last moved event at the source and at the target, and whether its end was moved. */
const places = new Map();
const file = process.argv[2];

async function readProgress() {
  const route = JSON.stringify({ from: source.url, to: target.url });
  const started = existsSync(file);
  if (started) {
    let first;
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      first ??= line;
      // A line is incomplete when the script was killed while it wrote the line.
      if (line === '' || !line.endsWith(']')) continue;
      const [channel, from, to, ended] = JSON.parse(line);
      places.set(channel, { from, to, ended });
    }
    if (first !== route) throw new Error(`${file} belongs to another move: ${first}`);
  }
  appendFileSync(file, started ? '\n' : `${route}\n`);
}

function savePlace(channel, place) {
  places.set(channel, place);
  appendFileSync(file, `${JSON.stringify([channel, place.from, place.to, place.ended])}\n`);
}

/** The names of all channels at the source. A name may come twice. */
async function* channelNames() {
  let after = '';
  do {
    const { status, text } = await source.send(`/channels?limit=1000${after && `&after=${after}`}`);
    if (status !== 200) throw new Error(`${source.url} does not list its channels: ${text}`);
    const { channels, next } = JSON.parse(text);
    for (const { channel } of channels) yield channel;
    after = next;
  } while (after !== null);
}

async function readPage(broker, channel, after, limit) {
  const { status, text } = await broker.read(`/channels/${channel}/events?after=${after}&limit=${limit}`);
  if (status !== 200) throw new ChannelError(`cannot be read at ${broker.url}: ${text}`);
  return JSON.parse(text);
}

/** Moves what the channel has after its place. */
async function moveChannel(channel) {
  let place = places.get(channel) ?? { from: 'earliest', to: '0-0', ended: false };
  const advance = (change) => {
    place = { ...place, ...change };
    savePlace(channel, place);
  };
  for (;;) {
    const page = await readPage(source, channel, place.from, PAGE_EVENTS);
    // A key's newest event can be older than the history.
    const older = page.complete ? [] : await stateBetween(channel, place.from, page.events[0]?.id);
    for (const batch of batches([...older, ...page.events])) {
      if (batch[0].event === 'sluice:cleared') {
        advance({ to: await clearTarget(channel, place.to), from: batch[0].id, ended: false });
        continue;
      }
      advance({ to: await append(channel, batch, place.to), from: batch.at(-1).id, ended: false });
      totals.events += batch.length;
    }
    if (page.events.length > 0) continue;
    if (page.ended && !place.ended) {
      await endTarget(channel);
      advance({ from: page.next, ended: true });
    }
    return;
  }
}

/** The events of the state after `after` and before `before`, or without `before` all after `after`. */
async function stateBetween(channel, after, before) {
  const { status, text } = await source.read(`/channels/${channel}/state`);
  if (status === 413) {
    report(
      channel,
      'has more than 2 MiB of state: values of keys that are older than its history are not moved',
    );
    return [];
  }
  if (status !== 200) throw new ChannelError(`has a state that cannot be read: ${text}`);
  return JSON.parse(text).events.filter(
    ({ id }) =>
      (after === 'earliest' || isBefore(after, id)) && (before === undefined || isBefore(id, before)),
  );
}

function isBefore(one, other) {
  const [[ms, seq], [otherMs, otherSeq]] = [one, other].map((id) => id.split('-').map(Number));
  return ms < otherMs || (ms === otherMs && seq < otherSeq);
}

/** Splits events into what one request publishes. A deletion of the channel is alone, and so is a large event. */
function* batches(events) {
  let batch = [];
  let bytes = 0;
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event));
    const alone = event.event === 'sluice:cleared';
    if (batch.length > 0 && (alone || batch.length === BATCH_EVENTS || bytes + size > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    if (alone) yield [event];
    else {
      batch.push(event);
      bytes += size;
    }
  }
  if (batch.length > 0) yield batch;
}

/**
 * Publishes the events behind `tail`, the channel's newest event at the target, and returns the new tail. The condition
 * keeps events from being published twice, also when this run does not know what the last one has done.
 */
async function append(channel, events, tail) {
  const { status, text } = await publish(channel, events, tail);
  if (status === 200) {
    const answer = JSON.parse(text);
    return answer.id ?? answer.events.at(-1).id;
  }
  if (status === 401) throw new Error(`${target.url} refuses MOVE_TO_KEY: ${text}`);
  const ended = status === 409;
  if (!ended && status !== 412) throw new ChannelError(`is refused by ${target.url}: ${text}`);
  // The tail is another one. Events that an earlier run has published, and could not note, are left out. Each request is
  // one step at the target, so where the target keeps fewer events, the ones that it has end the step.
  const page = await readPage(target, channel, tail === '0-0' ? 'earliest' : tail, events.length);
  const there = page.events.filter(({ event }) => event !== 'sluice:cleared');
  const offset = page.complete ? 0 : events.length - there.length;
  if (!there.every((event, index) => isSame(event, events[offset + index])))
    throw new ChannelError(`has other events at ${target.url}; delete it there, or leave it out`);
  const next = page.events.length === 0 ? JSON.parse(text).tail : page.next;
  const rest = there.length === 0 ? events : events.slice(offset + there.length);
  if (rest.length === 0) return next;
  if (ended) throw new ChannelError(`has ended at ${target.url}`);
  if (next === tail) throw new ChannelError(`is published to by others at ${target.url}`);
  return await append(channel, rest, next);
}

function isSame(one, other) {
  if (other === undefined || one.event !== other.event) return false;
  return one.data === other.data && one.key === other.key;
}

async function publish(channel, events, ifLast) {
  const [first] = events;
  const headers = { 'idempotency-key': randomUUID() };
  if (events.length === 1 && first.event !== 'sluice:deleted') {
    // As a body of its own the data has the size that it had at the source. In JSON it could be too large.
    const query = new URLSearchParams();
    for (const name of ['event', 'key']) if (first[name] !== undefined) query.set(name, first[name]);
    return await target.send(`/publish/${channel}?${query}`, {
      method: 'POST',
      headers: { ...headers, 'if-match': `"${ifLast}"`, 'content-type': 'text/plain' },
      body: first.data,
    });
  }
  const lines = events.map(({ event, data, key }, index) => {
    const condition = index === 0 ? { ifLast } : {};
    if (event === 'sluice:deleted')
      return JSON.stringify({ channel, key: JSON.parse(data).key, delete: true, ...condition });
    return JSON.stringify({ channel, event, data, key, ...condition });
  });
  return await target.send('/publish', {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
}

/** Deletes at the target what was deleted at the source after it was moved. Returns the tail at the target. */
async function clearTarget(channel, tail) {
  if (tail === '0-0') return tail;
  const { status, text } = await target.send(`/channels/${channel}`, { method: 'DELETE' });
  if (status !== 204 && status !== 404) throw new ChannelError(`cannot be deleted at ${target.url}: ${text}`);
  return (await readPage(target, channel, tail, 1)).next;
}

async function endTarget(channel) {
  const headers = { 'idempotency-key': randomUUID() };
  const { status, text } = await target.postJson('/publish', { channel, close: true }, headers);
  // 409: the channel has ended already.
  if (status !== 200 && status !== 409) throw new ChannelError(`cannot be ended at ${target.url}: ${text}`);
}

function report(channel, problem) {
  totals.failed += 1;
  console.error(`${channel} ${problem}`);
}

/** Moves one channel after the other. Several workers share the names. */
async function work(names, busy) {
  for await (const channel of names) {
    if (busy.has(channel)) continue;
    busy.add(channel);
    try {
      await moveChannel(channel);
      totals.channels += 1;
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      report(channel, error.message);
    }
    busy.delete(channel);
  }
}

if (![source.url, source.key, target.url, target.key, file].every(Boolean)) {
  console.error('usage: MOVE_FROM=<url> MOVE_FROM_KEY=<publish key> MOVE_TO=<url> MOVE_TO_KEY=<publish key>');
  console.error('         node move-channels.mjs <file for the progress>');
  process.exit(2);
}
const ticker = setInterval(() => console.error(JSON.stringify(totals)), 10_000);
try {
  await readProgress();
  const [names, busy] = [channelNames(), new Set()];
  const workers = Array.from({ length: WORKERS }, () => work(names, busy));
  // When one worker fails, the others finish their channels first.
  await Promise.allSettled(workers);
  await Promise.all(workers);
} catch (error) {
  totals.failed += 1;
  console.error(`${error.message}\nCorrect this, and run the same command again to go on.`);
}
clearInterval(ticker);
console.log(JSON.stringify(totals));
process.exitCode = totals.failed > 0 ? 1 : 0;
