import type { Logger } from 'pino';
import { logKind } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { Hub } from '../delivery/hub.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
import { BrokerStatus } from '../inspect/broker-status.ts';
import { BusiestChannels } from '../inspect/busiest-channels.ts';
import type { ChannelActivity } from '../inspect/channel-activity.ts';
import { ChannelInspector } from '../inspect/channel-inspector.ts';
import { ChannelSubscribers } from '../inspect/channel-subscribers.ts';
import type { EventLog } from '../log/event-log.ts';
import { Turns } from '../redis/turns.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { ControlBus } from '../replicas/control-bus.ts';
import type { Connections } from '../stream/connections.ts';

/**
 * How many questions of those who look in are asked at the same time. Hundreds at once would fill the control bus, which
 * `POST /disconnect` needs, and their answers would arrive together and hold the event loop for a tenth of a second.
 */
const ASKED_AT_ONCE = 10;
/** How many questions wait or are asked. A further one is refused. */
const MAX_QUESTIONS = 300;

export interface InspectionParts {
  readonly logger: Logger;
  readonly log: EventLog;
  readonly control: ControlBus;
  readonly policies: ChannelPolicies;
  readonly hub: Hub;
  readonly connections: Connections;
  readonly loop: FairLoop;
  readonly activity: ChannelActivity;
  readonly metrics: Pick<Metrics, 'eventCounts'>;
  readonly version: string;
}

/** Answers those who look in, and the questions of other replicas about this one. */
export interface Inspection {
  readonly channels: ChannelInspector;
  readonly busiest: BusiestChannels;
  readonly status: BrokerStatus;
}

export function openInspection(config: Config, parts: InspectionParts): Inspection {
  const { logger, log, policies, hub, connections, loop, activity, metrics, version } = parts;
  const control = withTurns(parts.control);
  const subscribers = new ChannelSubscribers({ control, hub, connections });
  return {
    channels: new ChannelInspector({ catalog: log.catalog, policies, subscribers }),
    busiest: new BusiestChannels({ control, loop, activity, hub }),
    status: new BrokerStatus({
      control,
      version,
      uptime: () => process.uptime(),
      streams: () => connections.size,
      counts: () => metrics.eventCounts(),
      log: {
        kind: logKind(config),
        health: () => log.health(),
      },
      // A signal may have changed the level.
      settings: () => ({ ...config.shown, LOG_LEVEL: logger.level }),
    }),
  };
}

function withTurns(control: ControlBus): Pick<ControlBus, 'replica' | 'answer' | 'ask'> {
  const turns = new Turns(ASKED_AT_ONCE);
  let questions = 0;
  return {
    replica: control.replica,
    answer: (kind, answerer) => control.answer(kind, answerer),
    ask: async (kind, payload, enough) => {
      if (questions >= MAX_QUESTIONS)
        throw new BrokerError('log-unavailable', 'Too many requests look in at the same time. Try again.');
      questions++;
      try {
        return await turns.take(() => control.ask(kind, payload, enough));
      } finally {
        questions--;
      }
    },
  };
}
