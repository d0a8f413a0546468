import { brokerUrl } from '../broker-url.js';
import { byId, element } from '../element.js';
import { faultView } from '../problem.js';
import { ApiDocument } from './api-document.js';
import { anchorOf, operationView } from './operation-view.js';
import { prose } from './prose.js';

/** @typedef {import('./api-document.js').Operation} Operation */

const credentials = byId('credentials', HTMLFormElement);
const credential = byId('credential', HTMLInputElement);
const contents = byId('contents', HTMLElement);
const operations = byId('operations', HTMLElement);

/** @param {ApiDocument} api */
function show(api) {
  const { version, description } = api.description;
  // Leaves out HEAD operations that only answer like GET without a body.
  const shown = api.operations.filter(({ method, id }) => method !== 'HEAD' || id === 'subscribeHead');
  operations.append(
    element('div', 'intro', ...prose(description), element('p', 'note', `Version ${version} · OpenAPI 3.1`)),
  );
  for (const tag of new Set(shown.map((operation) => operation.tag))) {
    const those = shown.filter((operation) => operation.tag === tag);
    const views = those.map((operation) => operationView(api, operation, () => credential.value.trim()));
    operations.append(element('section', '', element('h2', '', tag), ...views));
    contents.append(element('h2', '', tag), element('ul', '', ...those.map(linkTo)));
  }
}

/** @param {Operation} operation */
function linkTo({ id, method, path }) {
  const link = element(
    'a',
    '',
    element('span', `method ${method.toLowerCase()}`, method),
    ' ',
    element('code', '', path),
  );
  link.href = `#${id}`;
  // When the URL already has this fragment, a click causes no `hashchange`.
  link.addEventListener('click', () => reveal(id));
  return element('li', '', link);
}

/** @param {string} id */
function reveal(id) {
  const view = document.getElementById(anchorOf(id));
  if (!(view instanceof HTMLDetailsElement)) return;
  view.open = true;
  view.scrollIntoView();
}

async function load() {
  try {
    const response = await fetch(brokerUrl('openapi.json'));
    show(new ApiDocument(await response.json()));
    reveal(location.hash.slice(1));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    operations.append(faultView('Nothing to show', `openapi.json could not be loaded: ${detail}.`));
  }
  operations.removeAttribute('aria-busy');
}

credentials.addEventListener('submit', (submitted) => submitted.preventDefault());
addEventListener('hashchange', () => reveal(location.hash.slice(1)));
void load();
