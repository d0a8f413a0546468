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
  readonly counts: () => Promise<EventCounts>;
  readonly log: { readonly kind: LogKind; health(): Promise<LogHealth> };
  /** The settings in force, by name. No value is a secret. */
  readonly settings: () => Readonly<Record<string, string>>;
}

/** Counts of events since the start of the replica: the values of `sluice_published_total` and `sluice_events_delivered_total`. */
interface EventCounts {
  readonly published: number;
  /** Summed over subscribers. */
  readonly delivered: number;
}

/** An older release of the broker does not send the counts. */
export interface ReplicaStatus extends Partial<EventCounts> {
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
    options.control.answer(STATUS, async () => ({ ...(await this.#own()) }));
  }

  /** Never rejects because of the log: without Redis, the answer has this replica alone. */
  async read(): Promise<Status> {
    const { control, log, settings } = this.#options;
    const [counted, { up, detail }, { replicas, complete }] = await Promise.all([
      this.#own(),
      log.health(),
      this.#others(),
    ]);
    const own = { replica: control.replica, ...counted };
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

  async #own(): Promise<Omit<ReplicaStatus, 'replica'>> {
    const { version, uptime, streams, counts } = this.#options;
    return { version, uptime: Math.floor(uptime()), streams: streams(), ...(await counts()) };
  }
}

/** Returns undefined for an answer of another form: another release of the broker may have made it. */
function statusIn(replica: string, answer: Json): ReplicaStatus | undefined {
  const { version, uptime, streams, published, delivered } = (answer ?? {}) as {
    readonly [name: string]: Json;
  };
  if (typeof version !== 'string' || typeof uptime !== 'number' || typeof streams !== 'number')
    return undefined;
  return {
    replica,
    version,
    uptime,
    streams,
    ...(typeof published === 'number' && { published }),
    ...(typeof delivered === 'number' && { delivered }),
  };
}
