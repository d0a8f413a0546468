import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { BodiesPublisher } from './bodies-publisher.ts';

/** An upload that was acknowledged: the lines in order, and the ids of the first and the last. */
export interface Upload {
  readonly channel: string;
  readonly lines: readonly string[];
  readonly first: string;
  readonly last: string;
}

/**
 * Uploads numbered lines with `POST /publish/:channel?each=line`, as they come. Some uploads are cut at random, in the middle
 * of a line, and then sent again whole with the same idempotency key.
 */
export class UploadPublisher extends BodiesPublisher {
  readonly uploads: Upload[] = [];
  /** How many uploads were cut on purpose. */
  cuts = 0;

  protected async send(url: string, body: number): Promise<void> {
    const { channels, key, name, size, random, retries = true } = this.options;
    const channel = channels[body % channels.length] as string;
    const lines = Array.from({ length: size }, (_, i) => `${name}-${body}.${i}`);
    const record = this.record(channel);
    for (const line of lines) record.attempted.add(line);
    const outgoing = request(`${url}/publish/${channel}?each=line`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${key}`, 'idempotency-key': `${name}-${body}` },
    });
    outgoing.on('error', () => undefined);
    const answered = once(outgoing, 'response', { signal: AbortSignal.timeout(60_000) }) as Promise<
      [IncomingMessage]
    >;
    answered.catch(() => undefined);
    const cutAt = retries && random() < 0.3 ? Math.floor(random() * size) : undefined;
    for (const [i, line] of lines.entries()) {
      if (i === cutAt) {
        this.cuts++;
        outgoing.write(line.slice(0, 1));
        await delay(random() * 20);
        outgoing.destroy();
        this.failed('cut');
      }
      outgoing.write(`${line}\n`);
      if (random() < 0.05) await delay(random() * 20);
      if (outgoing.destroyed) this.failed('unanswered');
    }
    outgoing.end();
    const [answer] = await answered.catch(() => this.failed('unanswered'));
    let text = '';
    answer.setEncoding('utf8');
    try {
      for await (const chunk of answer) text += chunk as string;
    } catch {
      this.failed('unanswered');
    }
    if (answer.statusCode !== 200) this.failed(String(answer.statusCode));
    const { published, first, last } = JSON.parse(text) as { published: number; first: string; last: string };
    if (published !== size) this.failed(`published ${published} of ${size}`);
    this.uploads.push({ channel, lines, first, last });
    record.acknowledged.push(
      { text: lines[0] as string, id: first },
      { text: lines.at(-1) as string, id: last },
    );
  }
}
