import type { FigureName } from './figures.ts';

/** One kind of load. The sizes are those of `--scale 1`. */
export interface Scenario {
  readonly name: string;
  /** A short description for the table and the chart. */
  readonly about: string;
  readonly connections: number;
  readonly channels: number;
  readonly publishers: number;
  readonly events: number;
  /** Events a second of all publishers together. 0: each publisher sends as soon as its last event is answered. */
  readonly rate: number;
  /** Seconds without an event between connecting and publishing. */
  readonly rest: number;
  /** True when all subscribers come at once, each with a cursor into events that are already published. */
  readonly storm: boolean;
  readonly columns: readonly FigureName[];
  /** The figure that the chart shows, and whether a higher value is better. */
  readonly headline: FigureName;
  readonly moreIsBetter: boolean;
}

/** The size of an event's data, in bytes. */
export const EVENT_SIZE = 100;

const LIVE: readonly FigureName[] = ['cpuPerDelivery', 'deliveriesPerSecond', 'p50', 'p99', 'max'];
const REDIS: readonly FigureName[] = ['redisCpuPerPublish', 'redisBytesPerPublish'];

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'steady',
    about: '2,000 subscribers of a channel, 20 events/s',
    connections: 2_000,
    channels: 1,
    publishers: 1,
    events: 60,
    rate: 20,
    rest: 0,
    storm: false,
    columns: LIVE,
    headline: 'cpuPerDelivery',
    moreIsBetter: false,
  },
  {
    name: 'burst',
    about: '1,000 subscribers of a channel, 1,000 events/s from 32 publishers',
    connections: 1_000,
    channels: 1,
    publishers: 32,
    events: 3_000,
    rate: 1_000,
    rest: 0,
    storm: false,
    columns: LIVE,
    headline: 'deliveriesPerSecond',
    moreIsBetter: true,
  },
  {
    name: 'channels',
    about: '2,000 channels with a subscriber each, 4,000 publishes/s from 32 publishers',
    connections: 2_000,
    channels: 2_000,
    publishers: 32,
    events: 20_000,
    rate: 4_000,
    rest: 0,
    storm: false,
    columns: ['cpuPerPublish', ...REDIS, 'publishesPerSecond', 'p50', 'p99', 'max'],
    headline: 'cpuPerPublish',
    moreIsBetter: false,
  },
  {
    name: 'ingest',
    about: '10 subscribers, 20,000 events as fast as 32 publishers can',
    connections: 10,
    channels: 1,
    publishers: 32,
    events: 20_000,
    rate: 0,
    rest: 0,
    storm: false,
    columns: ['cpuPerPublish', ...REDIS, 'publishesPerSecond', 'p50', 'p99', 'max'],
    headline: 'publishesPerSecond',
    moreIsBetter: true,
  },
  {
    name: 'idle',
    about: '15,000 connections at rest',
    connections: 15_000,
    channels: 1,
    publishers: 1,
    events: 5,
    rate: 1,
    rest: 20,
    storm: false,
    columns: [
      'connections',
      'kibPerConnection',
      'cpuPerConnect',
      'cpuAtRest',
      'restPerConnection',
      'cpuPerDelivery',
    ],
    headline: 'kibPerConnection',
    moreIsBetter: false,
  },
  {
    name: 'replay-storm',
    about: '2,000 subscribers come back at once, each from somewhere in the last 1,000 events',
    connections: 2_000,
    channels: 1,
    publishers: 1,
    events: 1_000,
    rate: 1_000,
    rest: 0,
    storm: true,
    columns: ['connections', 'caughtUpP50', 'caughtUpAll', 'replayed', 'cpuPerReplay', 'logReads'],
    headline: 'caughtUpAll',
    moreIsBetter: false,
  },
];

/** Scales all sizes of a load, for a quick test or for a larger machine. */
export function scaled(scenario: Scenario, scale: number): Scenario {
  if (scale === 1) return scenario;
  const times = (count: number): number => Math.max(1, Math.round(count * scale));
  return {
    ...scenario,
    about: `${scenario.about}, × ${scale}`,
    connections: times(scenario.connections),
    channels: scenario.channels === 1 ? 1 : times(scenario.channels),
    // Does not scale the retained events: the history limits them.
    events: scenario.storm || scale > 1 ? scenario.events : times(scenario.events),
    rest: Math.min(scenario.rest, Math.max(1, scenario.rest * scale)),
  };
}
