import { DateHeader } from '../http/date-header.ts';
import type { PublishAnswer } from '../publish/publish-answer.ts';
import type { RateHeaders } from '../publish/publish-limiter.ts';

/**
 * Makes the text of the lane's answers to successful publishes. Most answers of a second differ only in their JSON, so their heads
 * are kept for a second, by the length of the JSON. A JSON has fewer than 300 characters, so that many heads are kept at the most.
 */
export class PublishAnswers {
  readonly #clock = new DateHeader();
  #date = '';
  #heads: (string | undefined)[] = [];

  /**
   * Returns head and body as one ASCII string, so that they leave in one write.
   * @param closing whether the connection ends after the answer
   */
  textOf({ json, replayed }: PublishAnswer, rateHeaders: RateHeaders | undefined, closing: boolean): string {
    const date = this.#clock.value;
    if (date !== this.#date) {
      this.#date = date;
      this.#heads = [];
    }
    if (rateHeaders !== undefined || replayed || closing)
      return this.#headOf(json.length, rateHeaders, replayed, closing) + json;
    // The JSON is ASCII, so its length is its size in bytes.
    return (this.#heads[json.length] ??= this.#headOf(json.length, undefined, false, false)) + json;
  }

  #headOf(length: number, rateHeaders: RateHeaders | undefined, replayed: boolean, closing: boolean): string {
    return (
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nX-Content-Type-Options: nosniff\r\n` +
      `${headerLines(rateHeaders)}${replayed ? 'Idempotent-Replayed: true\r\n' : ''}Date: ${this.#date}\r\n` +
      `Connection: ${closing ? 'close' : 'keep-alive'}\r\n\r\n`
    );
  }
}

/** Returns header lines, each ending in CRLF. */
export function headerLines(headers: RateHeaders | undefined): string {
  if (headers === undefined) return '';
  return `RateLimit-Policy: ${headers['ratelimit-policy']}\r\nRateLimit: ${headers.ratelimit}\r\n`;
}
