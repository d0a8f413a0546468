import type { Broker } from './broker.ts';
import { exchange } from './raw-http.ts';
import type { RawAnswer, RawRequest } from './raw-http.ts';

/** A publish in parts; every part that is left out gets a valid default. */
export interface RawPublish {
  /** The path; `/publish` by default. */
  readonly path?: string;
  /** Header lines in addition to Authorization, Content-Type and Content-Length. */
  readonly headers?: readonly string[];
  readonly contentType?: string;
  readonly body: string | Buffer;
}

/** POSTs exactly these bytes with the broker's key, and reads the answer. */
export async function publishRaw(broker: Broker, publish: RawPublish): Promise<RawAnswer> {
  return await exchange(broker.port, publishRequest(broker, publish));
}

export function publishRequest(
  broker: Broker,
  { path = '/publish', headers = [], contentType = 'application/json', body }: RawPublish,
): RawRequest {
  return {
    method: 'POST',
    path,
    headers: [
      `Authorization: Bearer ${broker.key}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...headers,
    ],
    body,
  };
}
