// What the pages of the examples have in common.

const STATUS_WORDS = { connecting: 'Connecting', live: 'Live', polling: 'Polling', closed: 'Closed' };

/** Returns the text at a path of the backend. Throws without one: the client then asks again later. */
export async function getText(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return await response.text();
}

/** Sends JSON to the backend. */
export async function post(path, body = {}) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
}

/** Shows the status of the client in the header of the page. */
export function showStatus(status) {
  const pill = document.querySelector('#status');
  pill.dataset.status = status;
  pill.textContent = STATUS_WORDS[status];
}

/** Creates an element with attributes and children. Texts stay texts: they are never read as markup. */
export function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  created.append(...children);
  return created;
}
