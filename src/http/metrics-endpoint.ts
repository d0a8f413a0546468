import type { FastifyInstance } from 'fastify';
import { METRICS } from './api/health-operations.ts';

export interface Exposition {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** `/metrics`, in Prometheus' text format. */
export async function metricsRoute(
  app: FastifyInstance,
  { exposition }: { exposition: Exposition },
): Promise<void> {
  // It takes some milliseconds: whoever asks meanwhile gets the same.
  let underWay: Promise<string> | undefined;
  const metrics = (): Promise<string> =>
    (underWay ??= exposition.metrics().finally(() => {
      underWay = undefined;
    }));

  app.get('/metrics', { config: { operation: METRICS } }, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .header('content-type', exposition.contentType)
      .send(await metrics()),
  );
}
