import { createPublisher } from '@sluice/client/publisher';
import type { Publisher } from '@sluice/client/publisher';

/** What a token allows: channels, or prefixes followed by `*`. */
interface Grants {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

/** The broker, as the backend sees it. Only the backend has the publish key. */
export class Broker {
  readonly url: string;
  readonly publisher: Publisher;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.publisher = createPublisher({ url, key });
    this.#key = key;
  }

  /** A token for a page, or for the backend's own subscriptions. The token lives for an hour. */
  async token(grants: Grants): Promise<string> {
    const response = await fetch(`${this.url}/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      body: JSON.stringify(grants),
    });
    if (!response.ok)
      throw new Error(`The broker answered with ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { token: string }).token;
  }
}
