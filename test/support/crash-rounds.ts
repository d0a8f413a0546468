import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationCast } from './application-cast.ts';
import { dataFolder } from './broker.ts';
import { EndingPublisher } from './ending-publisher.ts';
import type { Verdict } from './promise-checker.ts';
import { seededRandom } from './seeded-random.ts';
import { Stage } from './stage.ts';
import { StateCast } from './state-cast.ts';

export interface CrashRounds {
  readonly rounds: number;
  readonly seed: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once, before the broker is started, with its folder. Returns what it needs in its environment. */
  readonly prepare?: (folder: string) => Promise<Readonly<Record<string, string>>>;
  /** Called after each crash, before the broker is started again. */
  readonly whileDown?: (random: () => number) => Promise<void>;
}

/** Rounds after which the cast is checked and replaced, so that a long run needs no more memory than a short one. */
const ROUNDS_OF_A_CAST = 20;
/** Keeps all events of a cast, with as many checkpoints as that allows. */
const SETTINGS = { SLUICE_HISTORY_SIZE: '1000000', SLUICE_DATA_BYTES: String(128 * 1024 * 1024) };
/** In ms: the longest time from the moment that every batch publisher has published again to the crash. */
const LONGEST_LIFE_MS = 300;

/**
 * Kills a broker with its log on disk again and again, at random moments, and now and then stops it in good order, while 32
 * publishers publish and 8 readers read. Then compares what was acknowledged with what each reader got, and with what the log
 * has.
 */
export async function crashRounds({
  rounds,
  seed,
  env = {},
  prepare = async () => await Promise.resolve({}),
  whileDown = async () => await Promise.resolve(),
}: CrashRounds): Promise<Verdict> {
  const random = seededRandom(seed);
  const folder = await dataFolder();
  const own = await prepare(folder.path);
  const stage = await Stage.onDisk(folder, { ...SETTINGS, ...env, ...own });
  const verdicts: Verdict[] = [];
  /** Lines of brokers that report damage or a loss, where there is none. */
  const falseAlarms = new Set<string>();
  try {
    for (let left = rounds; left > 0; left -= ROUNDS_OF_A_CAST) {
      const cast = new Cast(stage, `cast-${left}`, random);
      await cast.begin();
      for (let round = 0; round < Math.min(left, ROUNDS_OF_A_CAST); round++) {
        await cast.published();
        await delay(random() * LONGEST_LIFE_MS);
        for (const line of stage.broker(0).log())
          if (/"kind":"(?:damaged|lost)"/.test(line)) falseAlarms.add(line);
        await stage.broker(0).stop(random() < 0.85 ? 'SIGKILL' : 'SIGTERM');
        await whileDown(random);
        if (random() < 0.2) {
          await stage.reviveInVain(0, random() * 600);
          await whileDown(random);
        }
        await stage.revive(0);
      }
      verdicts.push(...(await cast.finish()));
    }
  } finally {
    await stage.close();
  }
  const sum = (of: (verdict: Verdict) => number): number =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0);
  return {
    acknowledged: sum(({ acknowledged }) => acknowledged),
    delivered: sum(({ delivered }) => delivered),
    reconnects: sum(({ reconnects }) => reconnects),
    gaps: sum(({ gaps }) => gaps),
    breaches: [...verdicts.flatMap(({ breaches }) => breaches), ...falseAlarms],
  };
}

/** 32 publishers: 27 of single events, two of ends, and one each of batches, uploads and keys. 8 readers: 7 of events, 1 of a state. */
class Cast {
  readonly #stage: Stage;
  readonly #application: ApplicationCast;
  readonly #ends: readonly EndingPublisher[];
  readonly #states: StateCast;

  constructor(stage: Stage, name: string, random: () => number) {
    this.#stage = stage;
    const channels = ['a', 'b', 'c'].map((letter) => `${name}.${letter}`);
    const cast = { readers: 1, singles: 9, pause: 150, lossless: true };
    this.#application = new ApplicationCast(stage, { channels, random, ...cast });
    const shared = { urls: stage.urls, key: stage.broker(0).key, channels: [], size: 3, pause: 20, random };
    this.#ends = [1, 2].map((i) => new EndingPublisher({ ...shared, name: `${name}.end-${i}` }));
    this.#states = new StateCast(stage, { random, readers: 1 });
  }

  async begin(): Promise<void> {
    await this.#application.begin();
    for (const publisher of this.#ends) publisher.start();
    this.#states.start();
  }

  /** Resolves when publishers of each kind have published again. */
  async published(): Promise<void> {
    const { batches, uploads } = this.#application;
    await Promise.all([
      ...[batches, uploads, ...this.#ends].map((publisher) => publisher.reached(publisher.bodies + 1)),
      this.#states.changed(1),
    ]);
  }

  async finish(): Promise<Verdict[]> {
    await Promise.all(this.#ends.map((publisher) => publisher.stop()));
    const verdicts = [await this.#application.finish(), await this.#states.finish()];
    const [url = ''] = this.#stage.urls;
    for (const publisher of this.#ends) {
      const acknowledged = publisher.ended.length * 3;
      const breaches = await publisher.check(url);
      verdicts.push({ acknowledged, delivered: 0, reconnects: 0, gaps: 0, breaches });
    }
    await this.#application.close();
    return verdicts;
  }
}
