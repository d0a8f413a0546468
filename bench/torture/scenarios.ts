import type { Stage } from './stage.ts';
import { faultEnds, wait } from './stage.ts';
import type { SystemNode } from './system.ts';

/** The longest time between two cuts, of a hold and of a silence, in ms. */
const CUT_EVERY_MS = 2_000;
const HOLD_MS = 5_000;
/** How long bytes pass between two holds, in ms. */
const PASS_MS = 1_000;
/** How long readers may need to reconnect before the next silence, in ms. */
const RECONNECT_MS = 4_000;
/** The longest time that a killed node stays away, in ms. */
const AWAY_MS = 1_000;
/** How many bytes a slow reader leaves unread. They have to be more than all buffers between server and reader hold. */
const UNREAD_BYTES = 6 * 1024 * 1024;
const SLOW_EVENT_BYTES = 16 * 1024;

export interface TortureScenario {
  readonly name: string;
  readonly about: string;
  /** Returns what the nodes lack for this scenario, or undefined. */
  missing?(nodes: readonly SystemNode[]): string | undefined;
  /** Begins before the readers connect. */
  prepare?(stage: Pick<Stage, 'nodes' | 'readerRoute'>): void;
  /** The load, when it is another than the asked one. */
  load?(durationMs: number): { readonly size: number; readonly rate: number };
  run(stage: Stage): Promise<void>;
}

function needsRestart(nodes: readonly SystemNode[], way: 'kill' | 'terminate'): string | undefined {
  const command = way === 'kill' ? '--kill-cmd' : '--stop-cmd';
  return nodes.every((node) => node[way] !== undefined && node.start !== undefined)
    ? undefined
    : `${command} and --start-cmd are needed for each --url`;
}

/** Does something again and again, until the duration of the scenario is over. */
async function repeat(stage: Stage, round: () => Promise<void>): Promise<void> {
  const until = performance.now() + stage.durationMs;
  do await round();
  while (performance.now() < until);
}

async function kill(stage: Stage, node: SystemNode): Promise<void> {
  stage.say(`killing ${node.name}`);
  stage.readerRoute.leave(node);
  stage.publisherRoute.leave(node);
  await node.kill?.();
}

async function comeBack(stage: Stage, node: SystemNode): Promise<void> {
  stage.say(`starting ${node.name}`);
  await node.start?.();
  stage.readerRoute.rejoin(node);
  stage.publisherRoute.rejoin(node);
}

export const TORTURE_SCENARIOS: readonly TortureScenario[] = [
  {
    name: 'drops',
    about: 'a proxy cuts every connection every 2 s',
    run: async (stage) =>
      await repeat(stage, async () => {
        await wait(stage, Math.min(CUT_EVERY_MS, stage.durationMs / 3));
        stage.relay.cut();
        faultEnds(stage);
      }),
  },
  {
    name: 'kill',
    about: 'a node is killed with -9 and started again, twice',
    missing: (nodes) => needsRestart(nodes, 'kill'),
    run: async (stage) => {
      for (let round = 0; round < 2; round++) {
        const node = stage.nodes[round % stage.nodes.length];
        if (node === undefined) return;
        await wait(stage, stage.durationMs / 4);
        await kill(stage, node);
        await wait(stage, Math.min(AWAY_MS, stage.durationMs / 8));
        await comeBack(stage, node);
        faultEnds(stage);
      }
      await wait(stage, stage.durationMs / 4);
    },
  },
  {
    name: 'failover',
    about: 'the node of all readers is killed with -9 for good, and another takes over',
    missing: (nodes) => (nodes.length > 1 ? undefined : 'a second node is needed'),
    prepare: ({ nodes, readerRoute }) => nodes.slice(1).forEach((node) => readerRoute.leave(node)),
    run: async (stage) => {
      const [first, ...others] = stage.nodes;
      if (first === undefined) return;
      await wait(stage, stage.durationMs / 3);
      others.forEach((node) => stage.readerRoute.rejoin(node));
      await kill(stage, first);
      // When the node cannot be killed, the readers move all the same.
      stage.relay.cut();
      faultEnds(stage);
      await wait(stage, (stage.durationMs * 2) / 3);
    },
  },
  {
    name: 'deploy',
    about: 'each node gets SIGTERM, ends, and is started again, one after the other',
    missing: (nodes) => needsRestart(nodes, 'terminate'),
    run: async (stage) => {
      for (const node of stage.nodes) {
        await wait(stage, stage.durationMs / 4);
        stage.say(`stopping ${node.name}`);
        stage.readerRoute.leave(node);
        stage.publisherRoute.leave(node);
        if ((await node.terminate?.()) === false)
          stage.notes.push(`${node.name} did not end after SIGTERM, and was killed`);
        await comeBack(stage, node);
        faultEnds(stage);
      }
      await wait(stage, stage.durationMs / 4);
    },
  },
  {
    name: 'slow',
    about: 'half of the readers read nothing for a while, while events of 16 KiB are published',
    load: (durationMs) => ({
      size: SLOW_EVENT_BYTES,
      rate: Math.ceil(UNREAD_BYTES / SLOW_EVENT_BYTES / (durationMs / 3_000)),
    }),
    run: async (stage) => {
      const slow = [...stage.readers.keys()].filter((index) => index % 2 === 0);
      await wait(stage, stage.durationMs / 3);
      for (const index of slow) stage.readers[index]?.pause();
      await wait(stage, stage.durationMs / 3);
      for (const index of slow) stage.readers[index]?.resume();
      faultEnds(stage, slow);
      await wait(stage, stage.durationMs / 3);
    },
  },
  {
    name: 'buffering',
    about: 'a proxy holds all bytes for 5 s, then passes them, again and again',
    run: async (stage) =>
      await repeat(stage, async () => {
        stage.relay.goDumb();
        await wait(stage, Math.min(HOLD_MS, stage.durationMs / 3));
        stage.relay.speakAgain();
        faultEnds(stage);
        await wait(stage, Math.min(PASS_MS, stage.durationMs / 6));
      }),
  },
  {
    name: 'mute',
    about: 'a proxy passes nothing for 5 s without closing, then resets every connection',
    run: async (stage) =>
      await repeat(stage, async () => {
        await wait(stage, Math.min(PASS_MS, stage.durationMs / 6));
        stage.relay.goDumb();
        await wait(stage, Math.min(HOLD_MS, stage.durationMs / 3));
        stage.relay.cut();
        stage.relay.speakAgain();
        faultEnds(stage);
        // Readers wait before they reconnect, and the next silence should not meet them then.
        await wait(stage, Math.min(RECONNECT_MS, stage.durationMs / 3));
      }),
  },
];
