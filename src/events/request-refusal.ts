/**
 * The limit because of which a request was refused with an error; also the label of a metric.
 * - `key-rate`, `ip-rate`: more publishes than SLUICE_PUBLISH_RATE_PER_KEY or _PER_IP allows
 * - `failed-authentication`: a wrong credential from an address that has sent too many
 * - `body-size`, `head-size`: larger than SLUICE_MAX_BODY_BYTES or SLUICE_MAX_HEADER_BYTES, or too many headers
 * - `slow`: the head took longer than SLUICE_HEAD_TIMEOUT, or the whole request took longer than 30 s
 */
export const REQUEST_REFUSALS = [
  'key-rate',
  'ip-rate',
  'failed-authentication',
  'body-size',
  'head-size',
  'slow',
] as const;
export type RequestRefusal = (typeof REQUEST_REFUSALS)[number];

/** Called for each refusal, with the address of the client as far as it is known. */
export type OnRequestRefused = (reason: RequestRefusal, address: string | undefined) => void;
