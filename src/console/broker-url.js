/**
 * Makes a URL of this broker. The broker may be behind a path prefix. Removes user name and password, which the page's own URL
 * may have: fetch refuses such URLs, and code samples would show them.
 *
 * @param {string} path relative to the page
 */
export function brokerUrl(path) {
  const url = new URL(path, document.baseURI);
  url.username = '';
  url.password = '';
  return url;
}
