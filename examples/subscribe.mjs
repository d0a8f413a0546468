// Prints the events of a channel, each once and in order, and reconnects by itself:
//
//   node examples/subscribe.mjs <channel> [<last event id>]
import { setTimeout as delay } from 'node:timers/promises';

const { SLUICE_URL = 'http://localhost:3000', SLUICE_SILENCE = '45' } = process.env;
// Three heartbeats of the broker (SLUICE_HEARTBEAT). A connection without a byte for this long is lost.
const SILENCE = Number(SLUICE_SILENCE) * 1_000;
const LONGEST_WAIT = 30_000;
// Passing failures: too many requests, or a proxy found no broker. Any other refusal would come again.
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Called for each connection. An application can replace an expired token here. */
const token = () => process.env.SLUICE_TOKEN;

/** Resolves when the channel has ended. Rejects after a refusal that would come again. */
async function subscribe(channel, { onEvent, onGap, lastId = '' }) {
  const state = { lastId, retry: 2_000, failures: 0, ended: false, onEvent, onGap };
  for (;;) {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error('silence')), SILENCE);
    let problem = 'the stream ended';
    let retryAfter = 0;
    try {
      const response = await connect(channel, state.lastId, silence.signal);
      if (response.status === 204) return;
      if (response.status === 200) {
        await read(response, state, timer);
        if (state.ended) return;
      } else {
        retryAfter = Number(response.headers.get('retry-after') ?? 0) * 1_000;
        problem = `${response.status}: ${await response.text()}`;
        if (!PASSING.has(response.status)) throw new Refused(problem);
      }
    } catch (error) {
      if (error instanceof Refused || error instanceof NotHandled) throw error;
      problem = `the connection is lost: ${error.cause?.message ?? error.message}`;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
    // The broker gives each subscriber its own retry time. Each failed attempt doubles the wait.
    const longer = Math.min(state.retry * 2 ** state.failures++, LONGEST_WAIT) * (0.5 + Math.random() / 2);
    const wait = Math.max(state.retry, longer, retryAfter);
    console.error(`${problem}; reconnecting in ${(wait / 1_000).toFixed(1)} s`);
    await delay(wait);
  }
}

class Refused extends Error {}
/** Wraps an error of the application, as its cause. */
class NotHandled extends Error {}

async function connect(channel, lastId, signal) {
  const headers = { accept: 'text/event-stream' };
  if (token()) headers.authorization = `Bearer ${token()}`;
  if (lastId) headers['last-event-id'] = lastId;
  return await fetch(`${SLUICE_URL}/events/${encodeURIComponent(channel)}`, { headers, signal });
}

async function read(response, state, timer) {
  let rest = '';
  let block = { event: 'message', data: [], id: state.lastId };
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    timer.refresh();
    // Does not use node:readline, which ends a line at U+2028. Data may contain that character.
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line !== '') take(line, block, state);
      else {
        if (block.data.length > 0) await dispatch(block, state);
        // Set only here: an incomplete event, or one that could not be handled, has to come again.
        state.lastId = block.id;
        block = { event: 'message', data: [], id: block.id };
      }
    }
  }
}

/** A line is `name: value`; one that begins with a colon is a comment. */
function take(line, block, state) {
  const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
  if (name === 'data') block.data.push(value);
  else if (name === 'event' || name === 'id') block[name] = value;
  else if (name === 'retry' && /^\d+$/.test(value)) state.retry = Number(value);
}

async function dispatch({ event, data, id }, state) {
  const text = data.join('\n');
  if (event === 'sluice:closing') return console.error(`the broker asks the client to come back: ${text}`);
  state.failures = 0;
  if (event === 'sluice:end') state.ended = true;
  try {
    if (event === 'sluice:gap') await state.onGap(JSON.parse(text));
    else if (!event.startsWith('sluice:')) await state.onEvent({ id, event, data: text });
  } catch (cause) {
    throw new NotHandled('an event could not be handled', { cause });
  }
}

const [channel, lastId] = process.argv.slice(2);
if (!channel) {
  console.error('usage: subscribe.mjs <channel> [<last event id>]');
  process.exit(2);
}
try {
  await subscribe(channel, {
    lastId,
    onEvent: (event) => console.log(JSON.stringify(event)),
    // Events may be missing here. An application loads its state again, and then handles the events that follow.
    onGap: (gap) => console.log(JSON.stringify({ gap })),
  });
} catch (error) {
  console.error(error instanceof Refused ? `refused, ${error.message}` : error);
  process.exitCode = 1;
}
