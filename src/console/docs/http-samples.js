import { scriptString, shellWord } from '../quote.js';

/** @typedef {import('./request.js').ApiRequest} ApiRequest */

/**
 * @param {ApiRequest} request
 * @returns {string}
 */
export function curlSample({ method, url, headers, body, streams, credential }) {
  const flags = method === 'HEAD' ? ' -I' : streams ? ' -N' : '';
  // With a body, curl sends a POST by itself.
  const implied = method === 'HEAD' || method === (body === undefined ? 'GET' : 'POST');
  return [
    `curl${flags}${implied ? '' : ` -X ${method}`}`,
    ...(credential ? [`-H "Authorization: Bearer $${credential}"`] : []),
    ...Object.entries(headers).map(([name, value]) => `-H ${shellWord(`${name}: ${value}`)}`),
    // `--data` would read a file for a body that begins with @.
    ...(body === undefined ? [] : [`--data-raw ${shellWord(body)}`]),
    shellWord(url.href),
  ].join(' \\\n  ');
}

/**
 * A program for Node. Without a credential it runs in a page, too.
 *
 * @param {ApiRequest} request
 * @returns {string}
 */
export function fetchSample({ method, url, headers, body, streams, credential }) {
  const lines = [
    ...(credential ? [`authorization: \`Bearer \${process.env.${credential}}\`,`] : []),
    ...Object.entries(headers).map(([name, value]) => `${scriptString(name)}: ${scriptString(value)},`),
  ];
  const options = [
    ...(method === 'GET' ? [] : [`  method: ${scriptString(method)},`]),
    ...(lines.length === 0 ? [] : ['  headers: {', ...lines.map((line) => `    ${line}`), '  },']),
    ...(body === undefined ? [] : [`  body: ${scriptBody(body)},`]),
  ];
  const init = options.length === 0 ? '' : `, {\n${options.join('\n')}\n}`;
  const read = streams
    ? [
        'console.log(response.status);',
        'for await (const part of response.body.pipeThrough(new TextDecoderStream())) console.log(part);',
      ]
    : [`console.log(response.status${method === 'HEAD' ? '' : ', await response.text()'});`];
  return [
    `const response = await fetch(${scriptString(url.href)}${init});`,
    ...(method === 'HEAD' ? ['console.log(response.status);'] : read),
  ].join('\n');
}

/**
 * A program for Python's standard library.
 *
 * @param {ApiRequest} request
 * @returns {string}
 */
export function pythonSample({ method, url, headers, body, streams, credential }) {
  const lines = [
    ...(credential ? [`"Authorization": "Bearer " + os.environ["${credential}"],`] : []),
    ...Object.entries(headers).map(([name, value]) => `${pythonString(name)}: ${pythonString(value)},`),
  ];
  const read = streams
    ? ['for line in response:', '    print(line.decode(), end="")']
    : ['print(response.status, response.read().decode())'];
  return [
    ...(credential ? ['import os'] : []),
    'import urllib.error',
    'import urllib.request',
    '',
    'request = urllib.request.Request(',
    `    ${pythonString(url.href)},`,
    `    method="${method}",`,
    ...(lines.length === 0 ? [] : ['    headers={', ...lines.map((line) => `        ${line}`), '    },']),
    ...(body === undefined ? [] : [`    data=${pythonText(body)}.encode(),`]),
    ')',
    'try:',
    '    with urllib.request.urlopen(request) as response:',
    ...(method === 'HEAD' ? ['print(response.status)'] : read).map((line) => `        ${line}`),
    'except urllib.error.HTTPError as error:',
    '    raise SystemExit(f"{error.code} {error.read().decode()}")',
  ].join('\n');
}

/**
 * Writes a JSON body as a value of the program, when `JSON.stringify` makes the same JSON of it. JavaScript rounds large
 * numbers, and `__proto__` is no field of an object literal.
 *
 * @param {string} body
 */
function scriptBody(body) {
  try {
    if (JSON.stringify(JSON.parse(body), null, 2) === body && !body.includes('__proto__') && body.length > 1)
      return `JSON.stringify(${scriptValue(body)})`;
  } catch {
    // The body is not JSON.
  }
  return scriptString(body);
}

/**
 * Writes JSON as JavaScript, indented for the body of a request. JSON has invisible characters only inside strings, where an
 * escape means the same.
 *
 * @param {string} json
 */
function scriptValue(json) {
  return json
    .split('\n')
    .map((line) =>
      line.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => scriptString(character).slice(1, -1)),
    )
    .join('\n  ');
}

/**
 * Writes a text of several lines as Python. Needs no escapes for text without a backslash.
 *
 * @param {string} text
 */
function pythonText(text) {
  const lines = text.split('\n');
  const plain =
    !/\\|"""|"$/.test(text) &&
    lines.every(
      (line) =>
        pythonString(line)
          .slice(1, -1)
          .replaceAll(String.raw`\"`, '"') === line,
    );
  return plain && lines.length > 1 ? `"""${text}"""` : pythonString(text);
}

/**
 * Makes a Python string literal. Python reads the escapes of JSON, except for pairs of surrogates.
 *
 * @param {string} text
 */
function pythonString(text) {
  return JSON.stringify(text).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length > 4 ? String.raw`\U` + hex.padStart(8, '0') : String.raw`\u` + hex.padStart(4, '0');
  });
}
