import type { LogHealth } from '../log/event-log.ts';
import type { ControlBus, Json } from '../replicas/control-bus.ts';

/** The kind of the question. Its answer is a {@link ReplicaStatus} without the name. */
const STATUS = 'status';

/** Where the events are: in the memory of the process, in a folder, or in Redis. */
type LogKind = 'embedded' | 'disk' | 'redis';

export interface BrokerStatusOptions {
  readonly control: Pick<ControlBus, 'replica' | 'answer' | 'ask'>;
  readonly version: string;
  /** How long this process has been running, in seconds. */
  readonly uptime: () => number;
  /** How many streams are open. */
  readonly streams: () => number;
  readonly log: { readonly kind: LogKind; health(): Promise<LogHealth> };
  /** The settings in force, by name. No value is a secret. */
  readonly settings: () => Readonly<Record<string, string>>;
}

export interface ReplicaStatus {
  readonly replica: string;
  readonly version: string;
  /** In seconds. */
  readonly uptime: number;
  readonly streams: number;
}

export interface Status extends ReplicaStatus {
  readonly log: {
    readonly kind: LogKind;
    readonly up: boolean;
    /** What is wrong with the log or a part of it; null when all of it works. */
    readonly trouble: string | null;
  };
  /** Those that answered, and this one. */
  readonly replicas: readonly ReplicaStatus[];
  readonly settings: Readonly<Record<string, string>>;
  /** Whether every replica has answered. */
  readonly complete: boolean;
}

/** Describes this replica, and finds the others. */
export class BrokerStatus {
  readonly #options: BrokerStatusOptions;

  constructor(options: BrokerStatusOptions) {
    this.#options = options;
    options.control.answer(STATUS, async () => this.#own());
  }

  /** Never rejects because of the log: without Redis, the answer has this replica alone. */
  async read(): Promise<Status> {
    const { control, log, settings } = this.#options;
    const own = { replica: control.replica, ...this.#own() };
    const [{ up, detail }, { replicas, complete }] = await Promise.all([log.health(), this.#others()]);
    const others = replicas.filter(({ replica }) => replica !== own.replica);
    return {
      ...own,
      log: { kind: log.kind, up, trouble: detail === '' ? null : detail },
      replicas: [own, ...others],
      settings: settings(),
      complete,
    };
  }

  async #others(): Promise<{ readonly replicas: readonly ReplicaStatus[]; readonly complete: boolean }> {
    const asked = await this.#options.control.ask(STATUS, {}).catch(() => undefined);
    if (asked === undefined) return { replicas: [], complete: false };
    const replicas = asked.answers.map(({ replica, answer }) => statusIn(replica, answer));
    const known = replicas.filter((one) => one !== undefined);
    return { replicas: known, complete: asked.missing === 0 && known.length === replicas.length };
  }

  #own(): Omit<ReplicaStatus, 'replica'> {
    const { version, uptime, streams } = this.#options;
    return { version, uptime: Math.floor(uptime()), streams: streams() };
  }
}

/** Returns undefined for an answer of another form: another release of the broker may have made it. */
function statusIn(replica: string, answer: Json): ReplicaStatus | undefined {
  const { version, uptime, streams } = (answer ?? {}) as { readonly [name: string]: Json };
  if (typeof version !== 'string' || typeof uptime !== 'number' || typeof streams !== 'number')
    return undefined;
  return { replica, version, uptime, streams };
}
