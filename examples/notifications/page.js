import { connect, shareTabs } from '@sluice/client';
import { element, getText, post, showStatus } from '../example-page.js';

const TITLES = { user: 'For you', organization: 'Acme', room: 'The lobby' };
const SHOWN = 20;
const STREAMS_MS = 2_000;
const find = (id) => document.getElementById(id);

const user = new URLSearchParams(location.search).get('user') ?? 'ada';
const other = user === 'ada' ? 'ben' : 'ada';
const query = `?user=${encodeURIComponent(user)}`;
const boxes = [];

const client = connect(await getText('/broker'), {
  getToken: () => getText(`/token${query}`),
  // All tabs of this user have one stream together. Each user needs a group, because a stream has the rights of one token.
  share: shareTabs({ group: `user ${user}` }),
  onStatus: showStatus,
});
for (const [to, channel] of Object.entries(JSON.parse(await getText(`/channels${query}`)))) {
  const box = createBox(to);
  boxes.push(box);
  client.subscribe(channel, {
    last: SHOWN,
    onEvent: ({ data }) => box.add(JSON.parse(data)),
    onReady: () => box.startCounting(),
    onGap: () => box.addNote('Some notices may be missing here.'),
  });
}

/** A card with the notices of a channel. Its badge counts what has come since the page is open, and was not read yet. */
function createBox(to) {
  const badge = element(
    'span',
    { class: 'badge', 'data-count': 0, role: 'status', 'aria-label': 'unread' },
    '0',
  );
  const list = element('ol', { class: 'list' });
  const send = element('button', { type: 'button', 'aria-label': `Send a notice: ${TITLES[to]}` }, 'Send');
  const read = element('button', { type: 'button', class: 'quiet' }, 'Mark as read');
  const head = element('div', { class: 'row' }, element('h2', {}, TITLES[to]), badge);
  const foot = element('div', { class: 'row' }, send, read);
  find('boxes').append(element('section', { class: 'card box', 'data-to': to }, head, list, foot));

  const box = { unread: 0, add, addNote, startCounting: () => (counting = true) };
  let counting = false;
  function add({ text, from }) {
    addLine({}, text, element('span', { class: 'muted' }, ` by ${from}`));
    if (counting) setUnread(box.unread + 1);
  }
  /** A line that is no notice, and is not counted. */
  function addNote(text) {
    addLine({ class: 'muted' }, text);
  }
  function addLine(attributes, ...parts) {
    list.prepend(element('li', attributes, ...parts));
    while (list.childElementCount > SHOWN) list.lastElementChild.remove();
  }
  function setUnread(count) {
    box.unread = count;
    badge.dataset.count = count;
    badge.textContent = count;
    showTotal();
  }
  send.addEventListener('click', () => post('/notices', { user, to }));
  read.addEventListener('click', () => setUnread(0));
  return box;
}

function showTotal() {
  const total = boxes.reduce((sum, { unread }) => sum + unread, 0);
  document.title = total === 0 ? 'Notifications' : `(${total}) Notifications`;
}

async function showStreams() {
  const answer = await getText(`/streams${query}`).catch(() => undefined);
  find('streams').textContent = answer === undefined ? 'unknown' : JSON.parse(answer).streams;
}

find('user').textContent = user;
find('same').href = query;
find('other').href = `?user=${other}`;
setInterval(() => document.hidden || showStreams(), STREAMS_MS);
await showStreams();
