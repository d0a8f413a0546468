import { BodiesPublisher } from './bodies-publisher.ts';
import type { JsonPage } from './changing-reader.ts';

/** A channel that has ended, with its events. */
interface Ended {
  readonly channel: string;
  readonly events: readonly { readonly id: string; readonly data: string }[];
}

/** Publishes all events of a new channel in one body, which ends the channel. */
export class EndingPublisher extends BodiesPublisher {
  readonly ended: Ended[] = [];

  protected async send(url: string, body: number): Promise<void> {
    const { name, size } = this.options;
    const channel = `${name}.${body}`;
    const texts = Array.from({ length: size }, (_, i) => `${channel}.${i}`);
    const sent = texts.map((data, i) => ({ channel, data, ...(i === size - 1 && { close: true }) }));
    const results = await this.post(url, sent, channel);
    this.ended.push({ channel, events: results.map(({ id }, i) => ({ id, data: texts[i] as string })) });
  }

  /** Whether each channel has its events and its end. Returns one sentence for each that does not. */
  async check(url: string): Promise<string[]> {
    const breaches: string[] = [];
    for (const { channel, events } of this.ended) {
      const answer = await fetch(`${url}/channels/${channel}/events?after=0-0`);
      const page = (await answer.json()) as JsonPage;
      const next = events.at(-1)?.id;
      const expected = JSON.stringify({ channel, events, next, complete: true, ended: true });
      if (JSON.stringify(page) !== expected)
        breaches.push(`the log has ${JSON.stringify(page)}, and acknowledged ${expected}`);
    }
    return breaches;
  }
}
