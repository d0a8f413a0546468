import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pino } from 'pino';
import type { Access } from '../../src/auth/access.ts';
import { Revocations } from '../../src/auth/revocations.ts';
import { parseChannelPattern } from '../../src/core/channel-pattern.ts';
import type { ChannelPattern } from '../../src/core/channel-pattern.ts';
import type { ControlBus } from '../../src/core/control-bus.ts';
import { FairLoop } from '../../src/core/fair-loop.ts';
import { disconnectRoute } from '../../src/http/disconnect.ts';
import { Disconnector } from '../../src/http/disconnector.ts';
import { createHttpServer } from '../../src/http/http-server.ts';
import { subscribeRoutes } from '../../src/http/subscribe.ts';
import { Connections } from '../../src/sse/connections.ts';
import { HubFixture } from './hub-fixture.ts';

/**
 * A replica in this process that takes a request's word for what its token says: `Authorization: Bearer <sub> <iat>`,
 * the time in epoch ms; `-` for a token without a subject. Whoever has a publish key may disconnect.
 */
export class TokenServer {
  readonly url: string;
  readonly port: number;
  readonly revocations: Revocations;
  readonly #close: () => Promise<void>;

  private constructor(server: FastifyInstance, revocations: Revocations, close: () => Promise<void>) {
    this.port = (server.server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.revocations = revocations;
    this.#close = close;
  }

  static async open(control: ControlBus, revocationTtl = 60_000): Promise<TokenServer> {
    const fixture = new HubFixture();
    const revocations = new Revocations({ ttl: revocationTtl });
    const connections = new Connections({
      loop: new FairLoop(),
      heartbeat: 15_000,
      stallTimeout: 30_000,
      retry: 2_000,
      maxAge: Infinity,
      maxConnections: Infinity,
      onClosed: () => undefined,
    });
    const disconnector = new Disconnector({ connections, revocations, control });
    const server = await createHttpServer({
      logger: pino({ level: 'silent' }),
      maxBodyBytes: 1_000_000,
      corsOrigins: [],
      routes: async (app) => {
        await app.register(disconnectRoute, { control, keys: { accepts: () => true } });
        await app.register(subscribeRoutes, {
          hub: fixture.hub,
          connections,
          publicChannels: [parseChannelPattern('*') as ChannelPattern],
          accessOf,
          revocations,
          onOpened: () => undefined,
          onRefused: () => undefined,
        });
      },
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    return new TokenServer(server, revocations, async () => {
      disconnector.close();
      connections.close();
      await server.close();
      await fixture.close();
    });
  }

  close(): Promise<void> {
    return this.#close();
  }
}

function accessOf({ headers }: FastifyRequest): Access | undefined {
  const [, subject = '', issuedAt] = /^Bearer (\S+) (\d+)$/.exec(headers.authorization ?? '') ?? [];
  if (issuedAt === undefined) return undefined;
  return {
    subject: subject === '-' ? undefined : subject,
    subscribe: [],
    publish: [],
    expiresAt: Infinity,
    issuedAt: Number(issuedAt),
    fingerprint: `${subject} ${issuedAt}`,
  };
}
