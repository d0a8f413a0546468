import { z } from 'zod';
import { jsonBodyOf } from './json-schema.ts';
import { TAGS } from './operation.ts';
import type { Operation } from './operation.ts';

const LivenessDocument = z.object({ status: z.literal('live') });

const ReadinessDocument = z.object({
  status: z.enum(['ready', 'not ready']),
  checks: z
    .record(z.string(), z.string())
    .meta({ description: 'One line for each thing that was looked at.' }),
});

const ready = jsonBodyOf(ReadinessDocument);

/** `GET /livez` */
export const LIVENESS: Operation = {
  id: 'liveness',
  tag: TAGS.lookingIn,
  summary: 'Whether the process lives',
  description: 'Whatever becomes of Redis.',
  answers: {
    200: {
      description: 'The process turns its event loop.',
      content: jsonBodyOf(LivenessDocument),
    },
  },
  examples: [{ name: 'live', summary: 'It lives', status: 200, answer: { status: 'live' } }],
};

/** `GET /readyz` and `GET /healthz` */
export function readinessAt(path: 'readyz' | 'healthz'): Operation {
  return {
    id: path === 'readyz' ? 'readiness' : 'health',
    tag: TAGS.lookingIn,
    summary: path === 'readyz' ? 'Whether this replica can serve' : 'The same as `/readyz`',
    description:
      'A log that goes away is forgiven for 15 s; one in a cluster counts as there while any channel can be published to.',
    answers: {
      200: {
        description: 'The log takes events, announcements arrive, and the replica is not shutting down.',
        content: ready,
      },
      503: { description: 'Something of this is not so.', content: ready },
    },
    examples: [
      {
        name: 'ready',
        summary: 'It can',
        status: 200,
        answer: { status: 'ready', checks: { log: 'up', draining: 'false' } },
      },
    ],
  };
}

/** `GET /metrics` */
export const METRICS: Operation = {
  id: 'metrics',
  tag: TAGS.lookingIn,
  summary: 'Metrics for Prometheus',
  description: 'Names of channels are never labels.',
  answers: {
    200: {
      description: "Prometheus' text format.",
      content: { mediaType: 'text/plain', schema: { type: 'string' } },
    },
  },
};
