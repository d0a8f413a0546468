import { ChannelChips } from './channel-chips.js';
import { ChannelFeed } from './channel-feed.js';
import { channelNameFault } from './channel-name.js';
import { CodeSamples } from './code-samples.js';
import { ConnectForm } from './connect-form.js';
import { byId, element } from './element.js';
import { notice } from './event-notice.js';
import { EventsView } from './events-view.js';
import { isCredential } from './header-fault.js';
import { record } from './json-value.js';
import { LogHealth } from './log-health.js';
import { Overview } from './overview/overview.js';
import { fragmentOf, readLink } from './page-link.js';
import { faultView } from './problem.js';
import { PublishForm } from './publish-form.js';
import { showState } from './status-pill.js';

const keyField = byId('key', HTMLInputElement);
const events = new EventsView();
const code = new CodeSamples();
const feed = new ChannelFeed((row) => {
  events.add(row);
  if (row.kind === 'event') code.addType(row.type);
}, update);
const chips = new ChannelChips(remove, (channel) => feed.retry(channel));
const form = new ConnectForm(update);
const health = new LogHealth(() => keyField.value.trim(), showLog);
const publish = new PublishForm({
  firstChannel: () => (feed.wishes.channels[0] ?? form.wishes.channels[0]) || '',
  newestId: (channel) => feed.positionOf(channel),
  onFailure: () => health.check(),
});
/** The history state says that there was a token, but does not hold the token. */
const tokenIsForgotten = record(history.state)['hadToken'] === true;

/** Shows everything that depends on the connection or on the form. */
function update() {
  const { isActive, state } = feed;
  const isDown = health.trouble !== '' && isActive;
  showState(isDown ? 'log-down' : state, isDown ? health.trouble : '');
  form.name(!isActive ? 'Connect' : form.differsFrom(feed.wishes) ? 'Apply changes' : 'Disconnect');
  chips.update(() => feed.channels);
  health.run(isActive);
  publish.update();
}

/** @param {boolean} isKnown */
function showLog(isKnown) {
  const { trouble } = health;
  const text =
    trouble === ''
      ? "The broker's log is up again."
      : `The broker's log is ${trouble}. Events cannot be published, and the stream waits.`;
  // A broker that does not answer has not said that its log is up.
  if (isKnown) events.add(notice(trouble === '' ? 'ready' : 'refused', '', text));
  update();
}

/** Does what the button says. */
function submit() {
  if (!feed.isActive) connect();
  else if (form.differsFrom(feed.wishes)) apply();
  else disconnect();
}

/** Follows the channels of the form. After a refusal the page goes on where it was, and otherwise begins anew. */
function connect() {
  const { start, token } = form.wishes;
  if (!isToken(token)) return;
  if (feed.state !== 'refused' || start !== feed.wishes.start) begin();
  follow();
}

function begin() {
  feed.close();
  events.clear('No events yet. New events appear here.');
}

function apply() {
  const { channels, start, token } = form.wishes;
  if (!isToken(token)) return;
  if (channels.length === 0) {
    disconnect();
    return;
  }
  if (start !== feed.wishes.start) begin();
  follow();
}

function follow() {
  const { wishes } = form;
  form.showFault();
  showPlace(wishes.channels, wishes.start, wishes.token !== '');
  feed.follow(wishes);
  showHint();
}

function disconnect() {
  feed.close();
  form.showFault();
}

/** @param {string} channel */
function remove(channel) {
  feed.remove(channel);
  const { channels, start, token } = feed.wishes;
  form.set({ channels });
  showPlace(channels, start, token !== '');
  update();
}

/**
 * Puts the channels into the title, the address and the samples. The token goes to none of them.
 *
 * @param {readonly string[]} channels
 * @param {string} start
 * @param {boolean} hadToken
 */
function showPlace(channels, start, hadToken) {
  code.setChannels(channels, hadToken);
  events.showChannels(channels.length > 1);
  const valid = channels.filter((channel) => channelNameFault(channel) === undefined);
  const more = valid.length > 3 ? ` and ${valid.length - 3} more` : '';
  document.title = valid.length === 0 ? 'Sluice console' : `${valid.slice(0, 3).join(', ')}${more} · Sluice`;
  history.replaceState({ hadToken }, '', fragmentOf(channels, start));
}

/**
 * Refuses a token that cannot be sent.
 *
 * @param {string} token
 */
function isToken(token) {
  if (isCredential(token)) return true;
  const why = 'The token was not sent, because a token may have visible ASCII characters only.';
  form.showFault(faultView('Not a token', why));
  const { channels, start } = form.wishes;
  showPlace(channels, start, true);
  return false;
}

/** Says what to do when a token is missing. */
function showHint() {
  if (tokenIsForgotten && form.wishes.token === '')
    form.showFault(
      element(
        'p',
        'note',
        'This page keeps a token only in memory, so reloading the page removed it. Enter the token again if a channel is refused.',
      ),
    );
}

/** Opens the channels of the link. Returns false when the link names no channel. */
function followLink() {
  const link = readLink(location.hash);
  if (link === undefined) {
    // What is no part of a link may be a secret.
    if (location.hash !== '') history.replaceState(history.state, '', fragmentOf([], ''));
    return false;
  }
  const { channels, start, token } = link;
  form.set({ channels, start, ...(token !== '' && { token }) });
  // Removes at once what is no part of a link, such as the token, from the address and the history.
  history.replaceState(null, '', fragmentOf(channels, start));
  if (channels.length === 0) return false;
  open();
  return true;
}

/** Follows the form's channels from their start, whatever was followed before. */
function open() {
  begin();
  if (isToken(form.wishes.token)) follow();
}

const overview = new Overview(byId('overview-view', HTMLElement), {
  key: keyField,
  openChannel(channel) {
    showView('events');
    form.set({ channels: [channel] });
    open();
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

byId('connect', HTMLFormElement).addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  submit();
});
addEventListener('hashchange', followLink);
byId('show-events', HTMLButtonElement).addEventListener('click', () => showView('events'));
byId('show-overview', HTMLButtonElement).addEventListener('click', () => showView('overview'));
byId('show-overview', HTMLButtonElement).disabled = false;
publish.listen();
// On a narrow screen the publish form is closed, so that the events are visible.
byId('publish-card', HTMLDetailsElement).open = matchMedia('(min-width: 56rem)').matches;
update();
if (!followLink()) {
  begin();
  events.clear('Enter a channel and connect. The first use of a channel creates it.');
  code.setChannels([], false);
}
