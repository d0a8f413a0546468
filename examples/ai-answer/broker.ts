import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** What a token allows: channels, or prefixes followed by `*`. */
interface Grants {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

interface Publication {
  readonly channel: string;
  readonly event?: string;
  readonly data: unknown;
}

/** The broker, as the backend sees it. Only the backend has the publish key. */
export class Broker {
  readonly url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.#key = key;
  }

  /** A token for a page, or for the backend's own subscriptions. The token lives for an hour. */
  async token(grants: Grants): Promise<string> {
    const answer = (await this.post('/tokens', { body: JSON.stringify(grants) })) as { token: string };
    return answer.token;
  }

  /** Publishes one event, and only once for each idempotency key. */
  async publish(publication: Publication, idempotencyKey: string): Promise<void> {
    await this.post('/publish', { body: JSON.stringify(publication), idempotencyKey });
  }

  /** Sends a POST with the publish key. Returns the JSON of the answer, and throws when the broker refuses the request. */
  async post(
    path: string,
    { body, idempotencyKey }: { body: string | AsyncIterable<Uint8Array>; idempotencyKey?: string },
  ): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#key}`,
        'content-type': 'application/json',
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
      body,
      // An upload goes on while the broker reads it.
      duplex: 'half',
    });
    if (!response.ok)
      throw new Error(`The broker answered with ${response.status}: ${await response.text()}`);
    return await response.json();
  }
}

/** Starts a broker on a free port, with keys of its own and the log in its memory. It ends together with this process. */
export async function startBroker(pageOrigin: string): Promise<Broker> {
  const key = randomBytes(24).toString('base64url');
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: '0',
      SLUICE_PUBLISH_KEYS: key,
      SLUICE_JWT_SECRET: randomBytes(32).toString('hex'),
      SLUICE_CORS_ORIGINS: pageOrigin,
      // A whole answer has to fit into the history of its channel, and so does a resend of it into the time of its key.
      SLUICE_CHANNELS: JSON.stringify([{ match: 'answers.*', history: { size: 20_000, ttl: '1h' } }]),
      SLUICE_IDEMPOTENCY_TTL: '1h',
      SLUICE_DRAIN_WINDOW: '0s',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill());
  child.once('exit', (code) => process.exit(code ?? 1));
  const url = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, url: address } = JSON.parse(line) as { msg: string; url?: string };
      if (msg === 'sluice is listening' && address !== undefined) resolve(address);
    });
  });
  return new Broker(url, key);
}
