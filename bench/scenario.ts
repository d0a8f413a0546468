import type { FigureName } from './figures.ts';

/** One kind of load. Sizes are what `--scale 1` gives. */
export interface Scenario {
  readonly name: string;
  /** In a few words, for the table and the chart. */
  readonly about: string;
  readonly connections: number;
  readonly channels: number;
  readonly publishers: number;
  readonly events: number;
  /** Events a second, all publishers together; 0 for as fast as they are answered. */
  readonly rate: number;
  /** Seconds without an event between connecting and publishing. */
  readonly rest: number;
  /** Subscribers come all at once, each with a position in what is already published. */
  readonly storm: boolean;
  readonly columns: readonly FigureName[];
  /** What the chart shows of it, and whether more is better. */
  readonly headline: FigureName;
  readonly moreIsBetter: boolean;
}

/** Bytes of an event's data. */
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

/** The same load with so much of everything: for a first try, or for a machine that takes more. */
export function scaled(scenario: Scenario, scale: number): Scenario {
  if (scale === 1) return scenario;
  const times = (count: number): number => Math.max(1, Math.round(count * scale));
  return {
    ...scenario,
    about: `${scenario.about}, × ${scale}`,
    connections: times(scenario.connections),
    channels: scenario.channels === 1 ? 1 : times(scenario.channels),
    // Retained events are the history's to bound, and so is the time a run takes.
    events: scenario.storm || scale > 1 ? scenario.events : times(scenario.events),
    rest: Math.min(scenario.rest, Math.max(1, scenario.rest * scale)),
  };
}
