import type { FigureName } from './figures.ts';
import type { Peer } from './peers/peer.ts';

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
  /** How many events each subscriber of a storm has missed. Each another number, unless set. */
  readonly missed?: number;
  /** The size of an event's data in bytes; {@link EVENT_SIZE} unless set. */
  readonly size?: number;
  /** Whether the data are JSON that differs from event to event. */
  readonly json?: boolean;
  /** Whether subscribers ask for compressed streams. */
  readonly compress?: boolean;
  readonly columns: readonly FigureName[];
  /** The figure that the chart shows, and whether a higher value is better. */
  readonly headline: FigureName;
  readonly moreIsBetter: boolean;
}

/** The size of an event's data in bytes, unless the scenario has another one. */
export const EVENT_SIZE = 100;

/** Says what a system would need for the scenario, when it lacks that. */
export function missingFor(
  scenario: Scenario,
  peer: Pick<Peer, 'resumes' | 'batches' | 'manyChannels' | 'compresses'>,
): string | undefined {
  if (scenario.storm && !peer.resumes) return 'its subscribers cannot resume';
  if (scenario.sets !== undefined && !peer.manyChannels) return 'its connections have one channel each here';
  if (scenario.perRequest !== undefined && !peer.batches) return 'its requests publish one event each here';
  if (scenario.compress === true && !peer.compresses) return 'it does not compress its streams';
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
