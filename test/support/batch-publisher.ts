import { BodiesPublisher } from './bodies-publisher.ts';

/** Publishes arrays of events on several channels with `POST /publish`. */
export class BatchPublisher extends BodiesPublisher {
  protected async send(url: string, body: number): Promise<void> {
    const { channels, name, size } = this.options;
    const events = Array.from({ length: size }, (_, i) => ({
      channel: channels[(i * 7 + body) % channels.length] as string,
      data: `${name}-${body}.${i}`,
    }));
    for (const { channel, data } of events) this.record(channel).attempted.add(data);
    for (const [i, { channel, id }] of (await this.post(url, events, `${name}-${body}`)).entries())
      this.record(channel).acknowledged.push({ text: (events[i] as { data: string }).data, id });
  }
}
