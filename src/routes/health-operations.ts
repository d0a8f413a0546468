import { z } from 'zod';
import { jsonBodyOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';

const LivenessDocument = z.object({ status: z.literal('live') });

const ReadinessDocument = z.object({
  status: z.enum(['ready', 'not ready']),
  checks: z.record(z.string(), z.string()).meta({ description: 'The result of each check, by its name.' }),
});

const ready = jsonBodyOf(ReadinessDocument);

/** `GET /livez` */
export const LIVENESS: Operation = {
  id: 'liveness',
  tag: TAGS.monitoring,
  summary: 'Whether the process is alive',
  description: 'Does not depend on Redis.',
  answers: {
    200: {
      description: 'The event loop of the process is running.',
      content: jsonBodyOf(LivenessDocument),
    },
  },
  examples: [{ name: 'live', summary: 'The process is alive', status: 200, answer: { status: 'live' } }],
};

/** `GET /readyz` and `GET /healthz` */
export function readinessAt(path: 'readyz' | 'healthz'): Operation {
  return {
    id: path === 'readyz' ? 'readiness' : 'health',
    tag: TAGS.monitoring,
    summary: path === 'readyz' ? 'Whether this replica is ready' : 'The same as `/readyz`',
    description:
      'The replica stays ready while the log is down for up to 15 s. In a Redis Cluster the log counts as up while at least one channel accepts publishes.',
    answers: {
      200: {
        description: 'The log accepts events, announcements arrive, and the replica is not draining.',
        content: ready,
      },
      503: { description: 'The log is down, or the replica is draining.', content: ready },
    },
    examples: [
      {
        name: 'ready',
        summary: 'The replica is ready',
        status: 200,
        answer: { status: 'ready', checks: { log: 'up', draining: 'false' } },
      },
    ],
  };
}

/** `GET /metrics` */
export const METRICS: Operation = {
  id: 'metrics',
  tag: TAGS.monitoring,
  summary: 'Metrics for Prometheus',
  description: 'No label holds a channel name.',
  answers: {
    200: {
      description: "Prometheus' text format.",
      content: { mediaType: 'text/plain', schema: { type: 'string' } },
    },
  },
};
