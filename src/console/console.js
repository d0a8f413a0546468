import { brokerUrl } from './broker-url.js';
import { channelNameFault, isDotSegment } from './channel-name.js';
import { ChannelStream } from './channel-stream.js';
import { closingText } from './closing-notice.js';
import { CodeSamples } from './code-samples.js';
import { byId, element } from './element.js';
import { EventList } from './event-list.js';
import { record } from './json-value.js';
import { Overview } from './overview/overview.js';
import { fragmentOf, readLink } from './page-link.js';
import { faultView, problemView } from './problem.js';
import { PublishForm } from './publish-form.js';

/** @typedef {import('./channel-stream.js').StreamState} StreamState */

const form = byId('connect', HTMLFormElement);
const channelField = byId('channel', HTMLInputElement);
const startField = byId('start', HTMLSelectElement);
const tokenField = byId('token', HTMLInputElement);
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
  const token = tokenField.value.trim();
  const valid = channelNameFault(channel) === undefined;
  stream?.close();
  refused.replaceChildren();
  list.clear(`No events on ${channel} yet. New events appear here.`);
  code.setChannel(channel, token !== '');
  document.title = valid ? `${channel} · Sluice` : 'Sluice console';
  history.replaceState({ hadToken: token !== '' }, '', fragmentOf(channel, start));
  if (isDotSegment(channel)) {
    refuse('Not a channel', `"${channel}" is not a valid channel name: browsers remove it from URLs.`);
    return;
  }
  if (/[^\x21-\x7e]/.test(token)) {
    refuse('Not a token', 'The token was not sent, because a token may have visible ASCII characters only.');
    return;
  }
  const url = brokerUrl(`events/${encodeURIComponent(channel)}`);
  url.search = start;
  const opened = new ChannelStream(
    url,
    token,
    (state) => showState(state, opened),
    (event) => {
      list.add(event);
      code.addType(event.type);
    },
  );
  stream = opened;
  opened.open();
}

/**
 * Shows a refusal without asking the broker.
 *
 * @param {string} title
 * @param {string} detail
 */
function refuse(title, detail) {
  stateView.dataset['state'] = 'refused';
  stateView.textContent = 'Refused';
  disconnect.disabled = true;
  list.clear('This stream was not opened.');
  refused.replaceChildren(faultView(title, detail));
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
    const why = state.closing === undefined ? 'The connection was lost.' : closingText(state.closing.reason);
    const next = from.lastEventId === '' ? 'Trying again' : `Resuming after ${from.lastEventId}`;
    list.note(`${why} ${next} in ${seconds(state.ms)}.`);
  }
  // With `only=active` the broker also gives this answer for a channel without events.
  if (state.name === 'ended' && !state.shown)
    list.note('There is nothing to follow: the channel has ended, or has no events.');
  if (state.name === 'refused') {
    const { response } = state;
    list.clear('This stream was not opened.');
    void problemView(response).then((view) => {
      if (stream !== from) return;
      if (response.status === 401) view.append(element('p', '', tokenHint()));
      refused.replaceChildren(view);
    });
  }
}

/** Says what to do about a 401. */
function tokenHint() {
  if (tokenField.value !== '') return 'Enter another token in the field above, and connect again.';
  return tokenIsForgotten
    ? 'This page keeps the token only in memory, so reloading the page removed it. Enter the token in the field above, or open the link with the token again.'
    : 'Enter a token that grants the channel in the field above, and connect again.';
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

/** Opens the channel of the link. Returns false when the link names no channel. */
function followLink() {
  const link = readLink(location.hash);
  if (link === undefined) return false;
  const { channel, start, token } = link;
  if (token !== '') {
    tokenField.value = token;
    // Removes the token from the URL and the history at once. From now on only the field holds it.
    history.replaceState(null, '', fragmentOf(channel, start));
  }
  if (channel === '') return false;
  channelField.value = channel;
  // Adds a start that the list does not offer, such as `since=…`.
  if (![...startField.options].some((option) => option.value === start))
    startField.add(new Option(start, start));
  startField.value = start;
  connect();
  return true;
}

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  connect();
});
disconnect.addEventListener('click', () => stream?.close());
addEventListener('hashchange', followLink);
new PublishForm(() => channelField.value.trim()).listen();
// On a narrow screen the publish form is closed, so that the events are visible.
byId('publish-card', HTMLDetailsElement).open = matchMedia('(min-width: 56rem)').matches;
/** The history state says that there was a token, but does not hold the token. */
const tokenIsForgotten = record(history.state)['hadToken'] === true;
if (!followLink()) code.setChannel('', false);

const overview = new Overview(byId('overview-view', HTMLElement), {
  key: byId('key', HTMLInputElement),
  openChannel(channel) {
    showView('events');
    channelField.value = channel;
    connect();
  },
});

/** @param {'events' | 'overview'} name */
function showView(name) {
  for (const view of ['events', 'overview']) {
    byId(`${view}-view`, HTMLElement).hidden = view !== name;
    byId(`show-${view}`, HTMLButtonElement).setAttribute('aria-current', view === name ? 'page' : 'false');
  }
  if (name === 'overview') overview.show();
  else overview.hide();
}
byId('show-events', HTMLButtonElement).addEventListener('click', () => showView('events'));
byId('show-overview', HTMLButtonElement).addEventListener('click', () => showView('overview'));
