import { BodiesPublisher } from './bodies-publisher.ts';

/** Publishes arrays of events on several channels with `POST /publish`. */
export class BatchPublisher extends BodiesPublisher {
  protected async send(url: string, body: number): Promise<void> {
    const { channels, key, name, size } = this.options;
    const events = Array.from({ length: size }, (_, i) => ({
      channel: channels[(i * 7 + body) % channels.length] as string,
      data: `${name}-${body}.${i}`,
    }));
    for (const { channel, data } of events) this.record(channel).attempted.add(data);
    const answer = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'idempotency-key': `${name}-${body}`,
      },
      body: JSON.stringify(events),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => this.failed('unanswered'));
    const text = await answer.text().catch(() => this.failed('unanswered'));
    if (answer.status !== 200) this.failed(String(answer.status));
    const results = (JSON.parse(text) as { events: readonly { channel: string; id: string }[] }).events;
    for (const [i, { channel, id }] of results.entries())
      this.record(channel).acknowledged.push({ text: (events[i] as { data: string }).data, id });
  }
}
