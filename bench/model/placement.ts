import { seededRandom } from '../../test/support/seeded-random.ts';
import type { Costs } from './costs.ts';
import { PLANNED } from './plan.ts';
import type { Plan, Workload } from './plan.ts';

/** How many connections are placed one by one. More would only take longer. */
const SAMPLE = 1_000_000;

export interface Placement {
  /** How many replicas hear an event, on average over the channels. */
  readonly hearing: number;
  /** The CPU of the mean and of the busiest replica, as a share of the planned CPU. */
  readonly mean: number;
  readonly busiest: number;
}

/**
 * Checks the averages of the plan against chance: puts every connection on a random replica, as a load balancer does, and
 * computes the work of each replica in a second.
 */
export function simulatePlacement(costs: Costs, workload: Workload, plan: Plan, seed: number): Placement {
  const random = seededRandom(seed);
  const replicas = Math.max(1, Math.min(plan.replicas, Math.floor(SAMPLE / plan.perReplica)));
  const connections = replicas * plan.perReplica;
  const audience = Math.min(workload.audience, connections);
  // The measured cost of a publish includes hearing the event and delivering it once at the publishing replica.
  const appending = Math.max(0, costs.publish.value - costs.delivery.value - costs.hear.value);
  const load = new Float64Array(replicas);
  const heardBy = new Int32Array(replicas).fill(-1);
  let heard = 0;
  let channels = 0;
  for (let first = 0; first < connections; first += audience, channels++) {
    const publisher = Math.floor(random() * replicas);
    load[publisher] = (load[publisher] ?? 0) + workload.rate * appending;
    for (let i = first; i < Math.min(first + audience, connections); i++) {
      const replica = Math.floor(random() * replicas);
      let cost = costs.rest.value + workload.rate * costs.delivery.value;
      if (heardBy[replica] !== channels) {
        heardBy[replica] = channels;
        heard++;
        cost += workload.rate * costs.hear.value;
      }
      load[replica] = (load[replica] ?? 0) + cost;
    }
  }
  return {
    hearing: heard / channels,
    mean: load.reduce((sum, one) => sum + one, 0) / replicas / PLANNED,
    busiest: Math.max(...load) / PLANNED,
  };
}
