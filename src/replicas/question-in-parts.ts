import type { Answers, ControlBus, Json } from './control-bus.ts';

/** Asks every replica a question whose answers are too long for one message, part by part. */
export class QuestionInParts {
  readonly #control: Pick<ControlBus, 'ask'>;
  readonly #kind: string;
  #complete = true;
  /** How many replicas answer in time. A replica that hangs costs half a second once, and not for each part. */
  #enough: number | undefined;

  constructor(control: Pick<ControlBus, 'ask'>, kind: string) {
    this.#control = control;
    this.#kind = kind;
  }

  /** Whether every replica has answered each part, in a form that could be read. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * @param read returns undefined for an answer of another form: another release of the broker may have made it
   * @throws BrokerError `log-unavailable` when the replicas cannot be asked
   */
  async ask<Part>(
    payload: Json,
    read: (answer: Json) => Part | undefined,
  ): Promise<readonly { readonly replica: string; readonly part: Part }[]> {
    const { answers, missing }: Answers<Json> = await this.#control.ask(this.#kind, payload, this.#enough);
    if (missing > 0) {
      this.#complete = false;
      this.#enough = answers.length;
    }
    return answers.flatMap(({ replica, answer }) => {
      const part = read(answer);
      if (part !== undefined) return [{ replica, part }];
      this.#complete = false;
      return [];
    });
  }
}
