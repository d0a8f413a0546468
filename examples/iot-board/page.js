import { connect } from '@sluice/client';
import { element, getText, post, showStatus } from '../example-page.js';

const SVG = 'http://www.w3.org/2000/svg';
const HALF_CIRCLE = 'M 10 60 A 50 50 0 0 1 110 60';
const devices = new Map();
/** The devices that were here before a gap, and have not come back yet. */
const missing = new Set();
const list = document.querySelector('#devices');
/** Whether the page has the whole state. */
let ready = false;

const client = connect(await getText('/broker'), {
  getToken: () => getText('/token'),
  onStatus: showStatus,
});
client.subscribe('sensors', {
  // Begins with the newest event of each device.
  state: true,
  onEvent: ({ event, data }) => {
    if (event === 'sensor-data') show(JSON.parse(data));
    else if (event === 'sluice:deleted') remove(JSON.parse(data).key);
    else if (event === 'sluice:cleared') removeAll();
    showNote();
  },
  // The state comes again, without what a broker has lost that keeps its log in memory.
  onGap: () => {
    ready = false;
    for (const device of devices.keys()) missing.add(device);
    removeAll();
    showNote();
  },
  onReady: () => {
    ready = true;
    showNote();
  },
});

function showNote() {
  let text = '';
  if (ready && missing.size > 0)
    text = `The connection has missed something. Not back yet: ${[...missing].join(', ')}.`;
  else if (ready && devices.size === 0) text = 'No devices. Each of them is unplugged.';
  const note = document.querySelector('#note');
  if (note.textContent !== text) note.textContent = text;
}

function show({ device, temperature, humidity, time }) {
  missing.delete(device);
  const card = devices.get(device) ?? addCard(device);
  card.time = time;
  card.temperature.set(temperature);
  card.humidity.set(humidity);
  showAge(card);
}

function addCard(device) {
  const temperature = createGauge('temperature', '°C', -10, 40);
  const humidity = createGauge('humidity', '%', 0, 100);
  const age = element('span', { class: 'muted' });
  const unplug = element(
    'button',
    { class: 'quiet', type: 'button', 'aria-label': `Unplug ${device}` },
    'Unplug',
  );
  unplug.addEventListener('click', () => post('/unplug', { device }));
  const root = element(
    'li',
    { class: 'card', 'data-device': device },
    element('h2', {}, device),
    element('div', { class: 'gauges' }, temperature.root, humidity.root),
    element('div', { class: 'row device-foot' }, age, unplug),
  );
  const next = [...list.children].find((other) => other.dataset.device > device);
  list.insertBefore(root, next ?? null);
  const card = { root, temperature, humidity, age, time: 0 };
  devices.set(device, card);
  return card;
}

function remove(device) {
  missing.delete(device);
  devices.get(device)?.root.remove();
  devices.delete(device);
}

function removeAll() {
  devices.clear();
  list.replaceChildren();
}

/** A half circle that is filled as far as its value. */
function createGauge(name, unit, least, most) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 120 66');
  svg.setAttribute('aria-hidden', 'true');
  const [, value] = ['ground', 'value'].map((part) => {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', part);
    path.setAttribute('d', HALF_CIRCLE);
    path.setAttribute('pathLength', '100');
    svg.append(path);
    return path;
  });
  const text = element('strong');
  const meter = { role: 'meter', 'aria-label': name, 'aria-valuemin': least, 'aria-valuemax': most };
  const root = element('div', { class: `gauge ${name}`, ...meter }, svg, text, element('span', {}, name));
  return {
    root,
    set(measured) {
      // The gap is longer than the path, so that no second dash begins.
      value.setAttribute('stroke-dasharray', `${((measured - least) / (most - least)) * 100} 200`);
      text.textContent = `${measured.toFixed(1)} ${unit}`;
      root.setAttribute('aria-valuenow', measured);
      root.setAttribute('aria-valuetext', text.textContent);
    },
  };
}

function showAge({ age, time }) {
  const seconds = Math.max(0, Math.round((Date.now() - time) / 1_000));
  age.textContent = seconds < 1 ? 'just now' : `${seconds} s ago`;
}

setInterval(() => devices.forEach(showAge), 1_000);
document.querySelector('#plug').addEventListener('click', () => post('/plug'));
