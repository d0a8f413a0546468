import type { FastifyInstance } from 'fastify';
import type { Answers, ControlBus } from '../replicas/control-bus.ts';
import { DISCONNECT } from './disconnect-operation.ts';
import { parseDisconnect } from './disconnect-body.ts';
import { requirePublishKey } from './publish-key-check.ts';
import type { PublishKeyCheckOptions } from './publish-key-check.ts';
import { takeJsonBytes } from '../http/request-bodies.ts';

export interface DisconnectOptions extends PublishKeyCheckOptions {
  readonly control: Pick<ControlBus, 'request'>;
}

/** `POST /disconnect` (docs/protocol.md §5). */
export async function disconnectRoute(app: FastifyInstance, options: DisconnectOptions): Promise<void> {
  const { control } = options;
  requirePublishKey(app, options);
  takeJsonBytes(app);
  app.post<{ Body: Buffer | undefined }>('/disconnect', { config: { operation: DISCONNECT } }, (request) =>
    control.request(parseDisconnect(request.body ?? Buffer.alloc(0), Date.now())).then(toJson),
  );
}

function toJson({ answers, missing }: Answers<number>): object {
  return {
    disconnected: answers.reduce((sum, { answer }) => sum + answer, 0),
    replicas: answers.map(({ replica, answer }) => ({ replica, disconnected: answer })),
    complete: missing === 0,
  };
}
