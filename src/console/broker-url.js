/**
 * The address of something at this broker, which may be behind a prefix. Without the name and password that the page's own
 * address may have: fetch refuses such addresses, and a sample would show them.
 *
 * @param {string} path relative to the page
 */
export function brokerUrl(path) {
  const url = new URL(path, document.baseURI);
  url.username = '';
  url.password = '';
  return url;
}
