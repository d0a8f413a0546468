import { byId } from './element.js';

const TEXTS = {
  closed: 'Not connected',
  connecting: 'Connecting',
  live: 'Connected',
  polling: 'Polling',
  waiting: 'Reconnecting',
  refused: 'Refused',
  ended: 'Ended',
  'log-down': 'Log down',
};

/** @typedef {keyof typeof TEXTS} PillState */

const pill = byId('state', HTMLElement);

/**
 * Shows the state of the connection in the header.
 *
 * @param {PillState} state
 * @param {string} [reason] shown beside the pointer
 */
export function showState(state, reason = '') {
  if (pill.dataset['state'] !== state) pill.textContent = TEXTS[state];
  pill.dataset['state'] = state;
  pill.title = reason;
}
