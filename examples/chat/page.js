import { connect } from '@sluice/client';
import { element, showStatus } from '../example-page.js';

/** In ms: how often a page says that somebody types, and how long another page shows it. */
const TYPING_INTERVAL_MS = 2_000;
const TYPING_SHOWN_MS = 4_000;
const MAX_SHOWN = 200;

const find = (id) => document.getElementById(id);
const messages = find('messages');
// The name survives a reload of this tab.
find('name').value = sessionStorage.getItem('name') ?? `Guest ${Math.floor(Math.random() * 1_000)}`;
const keepName = () => sessionStorage.setItem('name', find('name').value);
find('name').addEventListener('input', keepName);
keepName();
const myName = () => find('name').value.trim() || 'Guest';

/** The address of the broker, the rooms, and a token that may read them. */
async function getAccess() {
  const response = await fetch('/access');
  if (!response.ok) throw new Error(`The backend answered ${response.status}.`);
  return await response.json();
}

const { broker, rooms } = await getAccess();
const client = connect(broker, {
  getToken: async () => (await getAccess()).token,
  onStatus: showStatus,
});

let room = '';
let subscriptions = [];

/** Shows the room that the address names: `/#garden`. */
function enter() {
  room = rooms.find((name) => `#${name}` === location.hash) ?? rooms[0];
  for (const subscription of subscriptions) subscription.close();
  messages.replaceChildren();
  for (const name of typing.keys()) clearTyping(name);
  for (const link of find('rooms').children) link.ariaCurrent = link.textContent === room ? 'page' : null;
  subscriptions = [
    client.subscribe(`rooms.${room}`, {
      last: 50,
      onEvent: ({ id, data }) => showMessage(id, JSON.parse(data)),
      onGap: () => addLine('note', 'Messages may be missing here.'),
    }),
    // This channel keeps nothing: a connection that was lost has missed some notices, which nobody needs any more.
    client.subscribe(`typing.${room}`, { onEvent: ({ data }) => noteTyping(JSON.parse(data).name) }),
  ];
}

/** Adds a line below the others. What people wrote is text, never markup. */
function addLine(look, ...parts) {
  messages.append(element('div', { class: look }, ...parts));
  while (messages.childElementCount > MAX_SHOWN) messages.firstElementChild.remove();
  messages.scrollTop = messages.scrollHeight;
}

function showMessage(id, { name, text }) {
  // An event id begins with the time at which the broker took the event, in ms.
  const time = new Date(Number.parseInt(id)).toLocaleTimeString([], { timeStyle: 'short' });
  addLine(
    name === myName() ? 'own' : '',
    element('b', {}, name),
    element('time', {}, time),
    element('p', {}, text),
  );
  clearTyping(name);
}

/** Who types, by name: the timer that removes the name. */
const typing = new Map();

function noteTyping(name) {
  if (name === myName()) return;
  clearTimeout(typing.get(name));
  typing.set(name, setTimeout(clearTyping, TYPING_SHOWN_MS, name));
  showTyping();
}

function clearTyping(name) {
  clearTimeout(typing.get(name));
  typing.delete(name);
  showTyping();
}

function showTyping() {
  const names = [...typing.keys()].slice(0, 3).join(', ');
  find('typing').textContent = names === '' ? '' : `Typing: ${names}…`;
}

const post = (path, body, headers) =>
  fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** Sends a message. All attempts have the same key, so the room has the message once, also when only an answer was lost. */
async function send(path, message) {
  const headers = { 'idempotency-key': crypto.randomUUID() };
  for (let attempt = 1; ; attempt++) {
    const response = await post(path, message, headers).catch(() => undefined);
    if (response?.ok) return;
    if (attempt === 5 || (response && response.status < 500))
      throw new Error((await response?.json())?.message ?? 'The backend cannot be reached.');
    await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt * (0.5 + Math.random())));
  }
}

/** In ms: when this page last said that somebody types. */
let saidAt = 0;
find('text').addEventListener('input', ({ target }) => {
  const now = Date.now();
  if (target.value === '' || now - saidAt < TYPING_INTERVAL_MS) return;
  saidAt = now;
  // A lost notice is no harm.
  post(`/rooms/${room}/typing`, { name: myName() }).catch(() => {});
});

/** One message at a time, so that they stay in order. */
let sending = Promise.resolve();
find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = find('text').value.trim();
  if (text === '') return;
  find('text').value = '';
  saidAt = 0;
  const [path, message] = [`/rooms/${room}/messages`, { name: myName(), text }];
  sending = sending
    .then(() => send(path, message))
    .catch((error) => addLine('note', `“${text}” was not sent. ${error.message}`));
});

find('rooms').append(...rooms.map((name) => element('a', { href: `#${name}` }, name)));
addEventListener('hashchange', enter);
enter();
