/** The `Date` of an answer (RFC 9110 §6.6.1). Formats it once a second, not for each answer. */
export class DateHeader {
  #second = 0;
  #value = '';

  get value(): string {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#value = new Date(now).toUTCString();
    }
    return this.#value;
  }
}
