import { connect } from '@sluice/client';
import { element, getText, post, showStatus } from '../example-page.js';

const FIGURES = 60;
const find = (id) => document.getElementById(id);

// One list for each part of the line. A gap begins another part.
const parts = [[]];
let heartbeats = 0;
let streams = 0;
let openedAt;

const client = connect(await getText('/proxy'), {
  getToken: () => getText('/token'),
  onStatus: changeStatus,
  fetch: countHeartbeats,
});
client.subscribe('figures', {
  last: FIGURES,
  onEvent: ({ data }) => addFigure(JSON.parse(data).visitors),
  onGap: () => {
    parts.push([]);
    note('Figures may be missing, for example because the broker was restarted and keeps its log in memory.');
  },
});

function changeStatus(status) {
  showStatus(status);
  if (status === 'live') {
    openedAt = Date.now();
    find('streams').textContent = ++streams;
    note('The stream is open.');
  } else if (openedAt !== undefined) {
    openedAt = undefined;
    note('The stream was lost. The page connects again by itself.');
  }
  showAge();
}

function showAge() {
  find('open').textContent =
    openedAt === undefined ? 'not open' : `${Math.round((Date.now() - openedAt) / 1_000)} s`;
}

/** Passes a stream on to the client, and counts its heartbeats: comments, which are no events. */
async function countHeartbeats(...request) {
  const response = await fetch(...request);
  if (!response.ok || response.body === null) return response;
  const watched = response.body.pipeThrough(
    new TransformStream({
      transform(bytes, controller) {
        if (new TextDecoder().decode(bytes) === ':\n') find('heartbeats').textContent = ++heartbeats;
        controller.enqueue(bytes);
      },
    }),
  );
  return new Response(watched, response);
}

function addFigure(visitors) {
  find('figure').textContent = visitors;
  parts.at(-1).push(visitors);
  let surplus = parts.flat().length - FIGURES;
  for (; surplus > 0; surplus -= 1) {
    parts[0].shift();
    if (parts[0].length === 0) parts.shift();
  }
  draw();
}

function draw() {
  const figures = parts.flat();
  const lowest = Math.min(...figures) - 10;
  const height = Math.max(...figures) + 10 - lowest;
  let column = FIGURES - figures.length;
  const lines = parts.map((part) => {
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    const points = part.map(
      (figure) => `${(column++ * 600) / (FIGURES - 1)},${120 - ((figure - lowest) / height) * 120}`,
    );
    // A single point shows only as a line to itself.
    line.setAttribute('points', [...points, points.at(-1)].join(' '));
    return line;
  });
  find('chart').replaceChildren(...lines);
}

function note(text) {
  const time = new Date().toLocaleTimeString();
  find('notes').prepend(element('li', {}, element('span', { class: 'muted' }, `${time} `), text));
  while (find('notes').childElementCount > 8) find('notes').lastElementChild.remove();
}

let paused = false;
find('pause').addEventListener('click', async () => {
  await post('/publishing', { on: paused });
  paused = !paused;
  find('pause').textContent = paused ? 'Go on with the figures' : 'Pause the figures';
});

setInterval(showAge, 1_000);
