import { record, text } from '../json-value.js';

/** @typedef {Record<string, unknown>} Schema */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} place `path`, `query` or `header`.
 * @property {string} description
 * @property {boolean} required
 * @property {Schema} schema
 */

/**
 * Values for the fields of a request.
 *
 * @typedef {object} Example
 * @property {string} summary
 * @property {Record<string, string>} parameters By place and name, because `Last-Event-ID` is a header and a query
 *   parameter. Blanks separate the items of a list.
 * @property {unknown} body
 */

/**
 * @typedef {object} Answer
 * @property {string} status
 * @property {string} description
 * @property {string[]} headers
 * @property {string} mediaType Empty when there is no content.
 * @property {Schema} schema
 */

/**
 * @typedef {object} Operation
 * @property {string} id
 * @property {string} tag
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string} description
 * @property {string[]} credentials A request needs any one of them. `none`: the credential is optional. Empty: the route has none.
 * @property {Parameter[]} parameters
 * @property {{ description: string, mediaType: string, schema: Schema } | undefined} body
 * @property {Example[]} examples
 * @property {Answer[]} answers
 */

/** Reads the broker's OpenAPI document for this page. */
export class ApiDocument {
  #root;

  /** @param {unknown} root */
  constructor(root) {
    this.#root = record(root);
  }

  get description() {
    const info = record(this.#root['info']);
    return { version: text(info['version']), description: text(info['description']) };
  }

  /** The name of the cookie that may hold a token (SLUICE_TOKEN_COOKIE). */
  get tokenCookie() {
    const schemes = record(record(this.#root['components'])['securitySchemes']);
    return text(record(schemes['tokenCookie'])['name']);
  }

  /** The groups of operations, in the order in which the page shows them. */
  get tags() {
    return list(this.#root['tags']).map((tag) => ({
      name: text(record(tag)['name']),
      description: text(record(tag)['description']),
    }));
  }

  /** @returns {Operation[]} */
  get operations() {
    return Object.entries(record(this.#root['paths'])).flatMap(([path, item]) =>
      Object.entries(record(item)).map(([method, operation]) =>
        this.#operation(method.toUpperCase(), path, record(operation)),
      ),
    );
  }

  /**
   * Replaces a reference by its target. Keywords beside the reference override those of the target.
   *
   * @param {unknown} value
   * @returns {Schema}
   */
  resolve(value) {
    const { $ref: reference, ...beside } = record(value);
    if (typeof reference !== 'string') return beside;
    /** @type {unknown} */
    let found = this.#root;
    for (const name of reference.split('/').slice(1)) found = record(found)[name];
    const target = this.resolve(found);
    const properties = { ...record(target['properties']), ...record(beside['properties']) };
    return { ...target, ...beside, ...(Object.keys(properties).length > 0 && { properties }) };
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, unknown>} operation
   * @returns {Operation}
   */
  #operation(method, path, operation) {
    const parameters = list(operation['parameters']);
    const body = record(operation['requestBody']);
    const [content] = contentsOf(body);
    return {
      id: text(operation['operationId']),
      tag: text(list(operation['tags'])[0]),
      method,
      path,
      summary: text(operation['summary']),
      description: text(operation['description']),
      credentials: list(operation['security']).map((one) => Object.keys(record(one))[0] ?? 'none'),
      parameters: parameters.map(parameterOf),
      body: content && {
        description: text(body['description']),
        mediaType: content.mediaType,
        schema: content.schema,
      },
      examples: examplesOf(parameters, content?.examples ?? {}),
      answers: Object.entries(record(operation['responses'])).map(([status, answer]) =>
        this.#answer(status, this.resolve(answer)),
      ),
    };
  }

  /**
   * @param {string} status
   * @param {Record<string, unknown>} answer
   * @returns {Answer}
   */
  #answer(status, answer) {
    const [content] = contentsOf(answer);
    return {
      status,
      description: text(answer['description']),
      headers: Object.keys(record(answer['headers'])),
      mediaType: content?.mediaType ?? '',
      schema: content?.schema ?? {},
    };
  }
}

/** @param {unknown} value */
function list(value) {
  return Array.isArray(value) ? /** @type {unknown[]} */ (value) : [];
}

/** @param {Record<string, unknown>} owner */
function contentsOf(owner) {
  return Object.entries(record(owner['content'])).map(([mediaType, content]) => {
    const { schema, examples } = record(content);
    return { mediaType, schema: record(schema), examples: record(examples) };
  });
}

/**
 * @param {unknown} value
 * @returns {Parameter}
 */
function parameterOf(value) {
  const parameter = record(value);
  const schema = record(parameter['schema']);
  return {
    name: text(parameter['name']),
    place: text(parameter['in']),
    description: text(parameter['description']) || text(schema['description']),
    required: parameter['required'] === true,
    schema,
  };
}

/**
 * Collects the parts of each example: they have the same name in the document.
 *
 * @param {unknown[]} parameters
 * @param {Record<string, unknown>} bodies
 * @returns {Example[]}
 */
function examplesOf(parameters, bodies) {
  /** @type {Map<string, Example>} */
  const examples = new Map();
  /** @param {string} name @param {Record<string, unknown>} part */
  const exampleOf = (name, part) => {
    const example = examples.get(name) ?? { summary: text(part['summary']), parameters: {}, body: undefined };
    examples.set(name, example);
    return example;
  };
  for (const [name, part] of Object.entries(bodies)) {
    exampleOf(name, record(part)).body = record(part)['value'];
  }
  for (const parameter of parameters) {
    const key = `${text(record(parameter)['in'])} ${text(record(parameter)['name'])}`;
    for (const [name, part] of Object.entries(record(record(parameter)['examples']))) {
      const value = record(part)['value'];
      exampleOf(name, record(part)).parameters[key] = Array.isArray(value) ? value.join(' ') : text(value);
    }
  }
  return [...examples.values()];
}
