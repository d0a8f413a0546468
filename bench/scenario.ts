import type { FigureName } from './figures.ts';

/** What channels the connections of a scenario have. */
export interface ChannelSetPlan {
  readonly perConnection: number;
  /** How many of them get events. */
  readonly active: number;
  /** Whether no two connections have the same channels. Otherwise as many share a set as a channel has subscribers. */
  readonly different: boolean;
}

/** One kind of load. The sizes are those of `--scale 1`. */
export interface Scenario {
  readonly name: string;
  /** A short description for the table and the chart. */
  readonly about: string;
  readonly connections: number;
  /** The channels that get events. */
  readonly channels: number;
  /** The channels of each connection; 1 unless set. */
  readonly sets?: ChannelSetPlan;
  /** How many events one request publishes; 1 unless set. */
  readonly perRequest?: number;
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
const MANY: readonly FigureName[] = [
  'cpuPerDelivery',
  'deliveriesPerSecond',
  'p50',
  'p99',
  'kibPerConnection',
];
/** 250 channels with 20 subscribers each, for each channel of a connection. */
const MANY_LOAD = {
  connections: 5_000,
  publishers: 8,
  events: 5_000,
  rate: 500,
  rest: 0,
  storm: false,
  columns: MANY,
  headline: 'cpuPerDelivery',
  moreIsBetter: false,
} as const;
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
    columns: ['cpuPerPublish', ...REDIS, 'publishesPerSecond', 'syncP50', 'p50', 'p99', 'max'],
    headline: 'publishesPerSecond',
    moreIsBetter: true,
  },
  {
    name: 'single',
    about: 'one publisher, one subscriber, 5,000 events, each after the answer to the one before',
    connections: 1,
    channels: 1,
    publishers: 1,
    events: 5_000,
    rate: 0,
    rest: 0,
    storm: false,
    columns: ['cpuPerPublish', ...REDIS, 'publishesPerSecond', 'ackP50', 'ackP99', 'syncP50', 'p50', 'p99'],
    headline: 'ackP50',
    moreIsBetter: false,
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
  {
    ...MANY_LOAD,
    name: 'many-single',
    about:
      '5,000 connections with a channel each, 500 events/s to 20 subscribers each: the measure for the next two',
    channels: 250,
  },
  {
    ...MANY_LOAD,
    name: 'many',
    about:
      'the same with 20 channels a connection, of which 5 get events; 20 connections share a set of channels',
    channels: 1_250,
    sets: { perConnection: 20, active: 5, different: false },
  },
  {
    ...MANY_LOAD,
    name: 'many-different',
    about: 'the same, and no two connections have the same channels',
    channels: 1_250,
    sets: { perConnection: 20, active: 5, different: true },
  },
  {
    name: 'batch',
    about: '1 subscriber, 500,000 events as fast as one publisher can, 1,000 in a request',
    connections: 1,
    channels: 1,
    perRequest: 1_000,
    publishers: 1,
    events: 500_000,
    rate: 0,
    rest: 0,
    storm: false,
    columns: ['cpuPerPublish', ...REDIS, 'publishesPerSecond', 'p50', 'p99', 'max'],
    headline: 'publishesPerSecond',
    moreIsBetter: true,
  },
];

/** Says what a system would need for the scenario, when it lacks that. */
export function missingFor(
  scenario: Scenario,
  peer: { readonly resumes: boolean; readonly batches: boolean; readonly manyChannels: boolean },
): string | undefined {
  if (scenario.storm && !peer.resumes) return 'its subscribers cannot come back by Last-Event-ID';
  if (scenario.sets !== undefined && !peer.manyChannels) return 'its connections have one channel each here';
  if (scenario.perRequest !== undefined && !peer.batches) return 'its requests publish one event each here';
  return undefined;
}

/** Scales all sizes of a load, for a quick test or for a larger machine. */
export function scaled(scenario: Scenario, scale: number): Scenario {
  if (scale === 1) return scenario;
  const times = (count: number, unit = 1): number => Math.max(1, Math.round((count * scale) / unit)) * unit;
  return {
    ...scenario,
    about: `${scenario.about}, × ${scale}`,
    connections: times(scenario.connections),
    channels: scenario.channels === 1 ? 1 : times(scenario.channels, scenario.sets?.active),
    // Does not scale the retained events: the history limits them.
    events: scenario.storm || scale > 1 ? scenario.events : times(scenario.events, scenario.perRequest),
    rest: Math.min(scenario.rest, Math.max(1, scenario.rest * scale)),
  };
}
