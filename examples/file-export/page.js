import { connect } from '@sluice/client';
import { showStatus } from '../example-page.js';

const find = (id) => document.getElementById(id);
/** The address of the page names the export, `/#<id>`. So a reload and a second tab show the same export. */
const currentId = () => location.hash.slice(1);

/** What each event of the channel shows. */
const show = {
  progress({ rows, of }) {
    find('progress').value = rows / of;
    find('text').textContent = `${rows.toLocaleString('en')} of ${of.toLocaleString('en')} rows`;
    find('cancel').hidden = false;
  },
  complete({ link }) {
    find('progress').value = 1;
    find('link').href = link;
    find('link').hidden = false;
    showResult('complete', 'The file is ready.');
  },
  failed: ({ reason }) => showResult('failed', `The export has failed: ${reason}`),
  cancelled: () => showResult('cancelled', 'The export was cancelled.'),
};

function showResult(result, text) {
  find('export').dataset.result = result;
  find('text').textContent = text;
  find('cancel').hidden = true;
}

/** The address of the broker, and a token for the channel of the export. */
async function getAccess(id) {
  const response = await fetch(`/exports/${id}/access`);
  if (response.status === 404) throw new Error('The backend does not know it.');
  if (!response.ok) throw new Error(`The backend answered ${response.status}.`);
  return await response.json();
}

let client;

/** Follows the export that the address names. */
async function follow() {
  client?.close();
  const id = currentId();
  find('export').hidden = id === '';
  if (id === '') return;
  find('export').dataset.result = '';
  find('progress').value = 0;
  find('text').textContent = '';
  find('link').hidden = true;
  find('cancel').hidden = true;
  try {
    const { broker } = await getAccess(id);
    if (id !== currentId()) return;
    client = connect(broker, { getToken: async () => (await getAccess(id)).token, onStatus: showStatus });
    client.subscribe(`exports.${id}`, {
      // The newest event: a page that comes late knows at once how far the export is, or how it has ended.
      state: true,
      onEvent: ({ event, data }) => show[event]?.(JSON.parse(data)),
      onError: (error) => showResult('failed', `This page cannot follow the export: ${error.message}`),
    });
  } catch (error) {
    showResult('failed', `This page cannot follow the export: ${error.message}`);
  }
}

for (const button of document.querySelectorAll('[data-start]'))
  button.addEventListener('click', async () => {
    const response = await fetch(button.dataset.start, { method: 'POST' });
    if (response.ok) location.hash = (await response.json()).id;
    else alert('The export could not be started.');
  });
find('cancel').addEventListener('click', () => fetch(`/exports/${currentId()}`, { method: 'DELETE' }));
addEventListener('hashchange', follow);
await follow();
