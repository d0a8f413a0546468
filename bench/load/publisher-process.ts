import { setTimeout as delay } from 'node:timers/promises';
import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import type { Counts } from './crowd.ts';
import { offer } from './loader-process.ts';
import { writeMarker } from './marker.ts';
import { Publisher } from './publisher.ts';
import type { ChannelSetPlan } from '../scenario.ts';
import { writeJsonData } from './json-data.ts';
import { Probe } from './probe.ts';
import type { ProbePlan } from './probe.ts';
import { fill, fillJson, join } from './wire.ts';
import type { Wire } from './wire.ts';

/** After this many errors a publisher gives up: the server is down, or accepts no events. */
const MAX_ERRORS = 20;

export interface PublishPlan {
  readonly ports: readonly number[];
  readonly wire: Wire;
  readonly publishers: number;
  readonly events: number;
  /** Events a second of all publishers together. 0: each publisher sends as soon as its last event is answered. */
  readonly rate: number;
  readonly channels: number;
  readonly sets: ChannelSetPlan | undefined;
  /** How many events one request publishes. */
  readonly perRequest: number;
  readonly size: number;
  /** Whether the data are JSON. */
  readonly json: boolean;
  /** The zero of the due times, in µs on the monotonic clock. */
  readonly origin: number;
  /** The time limit in ms. Later events are not published. */
  readonly patience: number;
}

export interface PublishReport {
  readonly acknowledged: number;
  readonly errors: number;
  readonly firstError: string;
  /** On the monotonic clock, µs. */
  readonly beganAt: number;
  readonly endedAt: number;
  /** Times from an event's due time to its acknowledgement. */
  readonly latency: Counts;
}

/**
 * Publisher k sends requests k, k + publishers, k + 2 publishers, … It sends each request when it is due and the last one is
 * answered. An event that has to wait keeps its due time, so that a server that stalls publishers does not look fast.
 */
async function publish(plan: PublishPlan): Promise<PublishReport> {
  const latency = new LatencyHistogram();
  const beganAt = monotonicMicros();
  const endBy = beganAt + plan.patience * 1_000;
  let acknowledged = 0;
  let errors = 0;
  let firstError = '';
  const { path, headers, body } = plan.wire.publish;
  const { perRequest, json, wire } = plan;
  const fillBody = json ? fillJson : fill;
  const many = wire.publishMany;
  const group = plan.channels / (plan.sets?.active ?? 1);

  const one = async (who: number): Promise<void> => {
    const port = plan.ports[who % plan.ports.length] ?? 0;
    const connection = new Publisher(port);
    const numbers = new Int32Array(plan.channels);
    let failed = 0;
    for (let n = who; n * perRequest < plan.events && failed < MAX_ERRORS; n += plan.publishers) {
      const due = plan.rate > 0 ? beganAt + ((n * perRequest) / plan.rate) * 1e6 : monotonicMicros();
      // A timer has a resolution of 1 ms, so an event leaves up to 1 ms late. This adds to the latency of every system.
      for (let wait = due - monotonicMicros(); wait > 0; wait = due - monotonicMicros())
        await delay(Math.max(1, wait / 1_000));
      if (monotonicMicros() > endBy) break;
      const channel = n % plan.channels;
      const number = numbers[channel] ?? 0;
      // A connection with many channels has one of each group. For its check, each group has publishers of its own.
      const publisher = Math.floor(channel / group) * plan.publishers + who;
      const data = Array.from({ length: perRequest }, (_, i) =>
        json
          ? writeJsonData({ due: due - plan.origin, publisher, number: number + i }, plan.size, n)
          : writeMarker({ due: due - plan.origin, publisher, number: number + i }, plan.size),
      );
      const content =
        many === undefined || perRequest === 1
          ? fillBody(body, channel, data[0] ?? '')
          : join(
              many,
              data.map((text) => fillBody(many.item, channel, text)),
            );
      const request = `POST ${fill(perRequest === 1 ? path : (many?.path ?? path), channel, '')} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}Content-Length: ${content.length}\r\n\r\n${content}`;
      try {
        const { status, text } = await connection.send(request);
        if (status < 200 || status > 299) throw new Error(text.slice(0, 300));
        numbers[channel] = number + perRequest;
        acknowledged += perRequest;
        latency.record(monotonicMicros() - due);
      } catch (error) {
        failed++;
        errors++;
        firstError ||= (error as Error).message;
      }
    }
    connection.close();
  };

  await Promise.all(Array.from({ length: plan.publishers }, (_, who) => one(who)));
  return {
    acknowledged,
    errors,
    firstError,
    beganAt,
    endedAt: monotonicMicros(),
    latency: { counts: latency.counts, max: latency.max },
  };
}

let probe: Probe | undefined;

const services = {
  publish,
  probe: (plan: ProbePlan): void => {
    probe = new Probe(plan);
  },
  probed: async (): Promise<Counts> => {
    if (probe === undefined) throw new Error('Nothing is probed yet: probe comes first.');
    return await probe.stop();
  },
};

export type PublisherServices = typeof services;

offer(services);
