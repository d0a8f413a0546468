import { setTimeout as delay } from 'node:timers/promises';
import type { TcpRelay } from '../../test/support/tcp-relay.ts';
import type { BrowserReader } from './browser-reader.ts';
import type { SystemNode } from './system.ts';
import type { FaultEnd } from './verdict.ts';

/** Chooses nodes as a load balancer does, in turns and among those that are up. */
export class NodeRoute {
  readonly #nodes: readonly [SystemNode, ...SystemNode[]];
  readonly #down = new Set<SystemNode>();
  #turn = 0;

  constructor(nodes: readonly [SystemNode, ...SystemNode[]]) {
    this.#nodes = nodes;
  }

  /** Gives no more connections to the node. */
  leave(node: SystemNode): void {
    this.#down.add(node);
  }

  rejoin(node: SystemNode): void {
    this.#down.delete(node);
  }

  /** The node of the next connection. Any node when all are down. */
  next(): SystemNode {
    const up = this.#nodes.filter((node) => !this.#down.has(node));
    return up[this.#turn++ % up.length] ?? this.#nodes[0];
  }
}

/** What a scenario acts on, while events are published and read. */
export interface Stage {
  readonly nodes: readonly SystemNode[];
  /** Where readers and publishers go. */
  readonly readerRoute: NodeRoute;
  readonly publisherRoute: NodeRoute;
  /** Stands between the readers and the nodes. */
  readonly relay: TcpRelay;
  readonly readers: readonly BrowserReader[];
  /** How long the faults last together. */
  readonly durationMs: number;
  /** The ends of the faults. */
  readonly faults: FaultEnd[];
  /** Findings that are not figures. */
  readonly notes: string[];
  /** Aborted when the torture is interrupted. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** @throws AbortError when the torture is interrupted */
export async function wait(stage: Stage, ms: number): Promise<void> {
  await delay(ms, undefined, { signal: stage.signal });
}

/** Notes that a fault has ended. `readers` are the readers that it affected: all by default. */
export function faultEnds(stage: Stage, readers: readonly number[] = [...stage.readers.keys()]): void {
  stage.faults.push({ at: performance.now(), readers });
}
