import { brokerUrl } from '../broker-url.js';
import { byId, element } from '../element.js';
import { faultView } from '../problem.js';
import { ApiDocument } from './api-document.js';
import { OperationFinder } from './operation-finder.js';
import { operationView } from './operation-view.js';
import { prose } from './prose.js';
import { LanguageChoice } from './samples-view.js';

const credentials = byId('credentials', HTMLFormElement);
const credential = byId('credential', HTMLInputElement);
const operations = byId('operations', HTMLElement);
const finder = new OperationFinder();
const visitor = {
  credential: () => credential.value.trim(),
  /** @param {() => void} listener */
  onCredential: (listener) => credential.addEventListener('input', listener),
  language: new LanguageChoice(),
};

/** @param {ApiDocument} api */
function show(api) {
  const { version, description } = api.description;
  // Leaves out HEAD operations that only answer like GET without a body.
  const shown = api.operations.filter(({ method, id }) => method !== 'HEAD' || id === 'subscribeHead');
  operations.append(
    element('div', 'intro', ...prose(description), element('p', 'note', `Version ${version} · OpenAPI 3.1`)),
  );
  for (const { name, description: about } of api.tags) {
    const members = shown
      .filter(({ tag }) => tag === name)
      .map((operation) => ({ operation, view: operationView(api, operation, visitor) }));
    const section = element('section', '', element('h2', '', name), element('p', 'note', about));
    section.append(...members.map(({ view }) => view));
    operations.append(section);
    finder.add(name, section, members);
  }
}

async function load() {
  try {
    const response = await fetch(brokerUrl('openapi.json'));
    show(new ApiDocument(await response.json()));
    finder.openLinked();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    operations.append(faultView('Nothing to show', `openapi.json could not be loaded: ${detail}.`));
  }
  operations.removeAttribute('aria-busy');
}

credentials.addEventListener('submit', (submitted) => submitted.preventDefault());
void load();
