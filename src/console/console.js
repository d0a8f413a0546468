import { ChannelStream } from './channel-stream.js';
import { CodeSamples } from './code-samples.js';
import { byId } from './element.js';
import { EventList } from './event-list.js';
import { problemView } from './problem.js';
import { PublishForm } from './publish-form.js';

/** @typedef {import('./channel-stream.js').StreamState} StreamState */

const form = byId('connect', HTMLFormElement);
const channelField = byId('channel', HTMLInputElement);
const startField = byId('start', HTMLSelectElement);
const disconnect = byId('disconnect', HTMLButtonElement);
const stateView = byId('state', HTMLElement);
const refused = byId('refused', HTMLElement);
const list = new EventList();
const code = new CodeSamples();
/** @type {ChannelStream | undefined} */
let stream;

function connect() {
  const channel = channelField.value.trim();
  const start = startField.value;
  stream?.close();
  refused.replaceChildren();
  list.clear(`Nothing yet on ${channel}. What is published to it appears here.`);
  code.about(channel);
  document.title = `${channel} · Sluice`;
  history.replaceState(null, '', fragmentOf(channel, start));
  const url = new URL(`events/${encodeURIComponent(channel)}`, document.baseURI);
  url.search = start;
  const opened = new ChannelStream(
    url,
    (state) => showState(state, opened),
    (event) => {
      list.add(event);
      code.seen(event.type);
    },
  );
  stream = opened;
  opened.open();
}

/**
 * @param {StreamState} state
 * @param {ChannelStream} from
 */
function showState(state, from) {
  stateView.dataset['state'] = state.name;
  stateView.textContent = stateText(state);
  disconnect.disabled = state.name === 'closed' || state.name === 'refused' || state.name === 'ended';
  if (state.name === 'waiting') {
    const next = from.lastEventId === '' ? 'Trying again' : `Going on after ${from.lastEventId}`;
    list.note(`The connection is gone. ${next} in ${seconds(state.ms)}.`);
  }
  if (state.name === 'ended') list.note('The channel has ended and there is nothing more to read.');
  if (state.name === 'refused') {
    list.clear('This stream was not opened.');
    void problemView(state.response).then((view) => {
      if (stream === from) refused.replaceChildren(view);
    });
  }
}

/** @param {StreamState} state */
function stateText(state) {
  switch (state.name) {
    case 'connecting':
      return 'Connecting';
    case 'open':
      return 'Connected';
    case 'waiting':
      return `Reconnecting in ${seconds(state.ms)}`;
    case 'refused':
      return 'Refused';
    case 'ended':
      return 'Ended';
    case 'closed':
      return 'Not connected';
  }
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/**
 * A link to the page as it is: after `#` stands what would follow `/events/`.
 *
 * @param {string} channel
 * @param {string} start
 */
function fragmentOf(channel, start) {
  return `#${encodeURIComponent(channel)}${start === '' ? '' : `?${start}`}`;
}

/** Opens what the link says; false when it says nothing. */
function followLink() {
  const [name = '', start = ''] = location.hash.slice(1).split('?', 2);
  if (name === '') return false;
  channelField.value = decoded(name);
  // Such as `since=…`, which the list does not offer by itself.
  if (![...startField.options].some((option) => option.value === start))
    startField.add(new Option(start, start));
  startField.value = start;
  connect();
  return true;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  connect();
});
disconnect.addEventListener('click', () => stream?.close());
addEventListener('hashchange', followLink);
new PublishForm(() => channelField.value.trim()).listen();
// On a phone the events come first.
byId('publish-card', HTMLDetailsElement).open = matchMedia('(min-width: 56rem)').matches;
if (!followLink()) code.about('');
