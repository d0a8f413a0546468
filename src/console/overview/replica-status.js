import { element } from '../element.js';
import { record, text } from '../json-value.js';
import { DataTable } from './data-table.js';
import { count, duration, number, rate } from './figures.js';
import { RateHistory } from './rate-history.js';
import { RatePlots } from './rate-plots.js';

/** @typedef {import('./rate-history.js').Replica} Replica */
/** @typedef {import('./rate-history.js').Rates} Rates */
/** @typedef {{ replica: Replica, rates: Rates | undefined }} Row `rates` is undefined when the replica has not answered. */

/** @type {Readonly<Record<string, string>>} */
const LOGS = { redis: 'Redis', disk: 'Disk', embedded: 'Memory' };

/** Shows `GET /status`: the log, the replicas, and plots of what they do. */
export class ReplicaStatus {
  view = element('div', 'stack');
  #log = element('p', 'log');
  #missing = element('p', 'warning');
  #history = new RateHistory();
  #plots = new RatePlots();
  /** The replicas of the last answer, and those that it has missed.
   * @type {readonly Replica[]} */
  #known = [];
  /** @type {DataTable<Row>} */
  #table = new DataTable({
    label: 'Replicas',
    columns: ['Replica', 'Version', '#Up for', '#Streams', '#Published/s', '#Delivered/s'],
    keyOf: ({ replica }) => replica.replica,
    stateOf: ({ rates }) => (rates === undefined ? 'silent' : ''),
    cellsOf: ({ replica, rates }) => [
      rates === undefined ? `${replica.replica} (no answer)` : replica.replica,
      replica.version,
      duration(replica.uptime),
      count(replica.streams),
      rate(rates?.published),
      rate(rates?.delivered),
    ],
  });

  constructor() {
    this.#missing.setAttribute('role', 'status');
    this.#log.setAttribute('role', 'status');
    const head = element('div', 'card-head', element('h2', '', 'Log and replicas'), this.#log);
    this.view.append(
      this.#plots.view,
      element('section', 'card stack', head, this.#missing, this.#table.view),
    );
  }

  /** @param {Record<string, unknown>} status */
  show(status) {
    this.#showLog(record(status['log']));
    const listed = Array.isArray(status['replicas']) ? status['replicas'] : [];
    const replicas = listed.map((one) => replicaIn(record(one)));
    const rates = this.#history.add(Date.now() / 1_000, replicas);
    this.#plots.show(this.#history.samples);
    const complete = status['complete'] !== false;
    // A replica that has answered before is the one that is missing, unless it has stopped.
    const answered = new Set(replicas.map(({ replica }) => replica));
    const silent = complete ? [] : this.#known.filter(({ replica }) => !answered.has(replica));
    const known = [...replicas, ...silent];
    known.sort((a, b) => (a.replica < b.replica ? -1 : 1));
    this.#known = known;
    const rows = known.map((replica) => ({ replica, rates: rates.get(replica.replica) }));
    this.#table.show(rows);
    setText(
      this.#missing,
      complete
        ? ''
        : 'Not every replica has answered within half a second. All sums on this page leave out what the others have.',
    );
  }

  /** @param {Record<string, unknown>} log */
  #showLog(log) {
    const kind = LOGS[text(log['kind'])] ?? text(log['kind']);
    const trouble = text(log['trouble']);
    const up = log['up'] === true;
    this.#log.dataset['state'] = up ? (trouble === '' ? 'up' : 'partly') : 'down';
    const state = up ? (trouble === '' ? 'up' : 'up, with trouble') : 'down';
    setText(this.#log, `${kind}: ${state}${trouble === '' ? '' : `: ${trouble}`}`);
  }
}

/** @param {Record<string, unknown>} replica */
function replicaIn(replica) {
  return {
    replica: text(replica['replica']),
    version: text(replica['version']),
    uptime: number(replica['uptime']) ?? 0,
    streams: number(replica['streams']) ?? 0,
    published: number(replica['published']),
    delivered: number(replica['delivered']),
  };
}

/**
 * Changes a text only when it is another one: a screen reader says each change of a status.
 *
 * @param {HTMLElement} view
 * @param {string} words
 */
function setText(view, words) {
  if (view.textContent !== words) view.textContent = words;
}
