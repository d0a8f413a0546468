/** @typedef {typeof import('../../client/src/index.ts')} Client */

// The broker serves the client's modules beside this page. For the type checker they are elsewhere.
const module = new URL('client/index.js', import.meta.url).href;

export const { connect } = /** @type {Client} */ (await import(module));
