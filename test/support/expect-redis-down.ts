import { expect } from 'vitest';
import type { Broker } from './broker.ts';

/**
 * Waits until the broker is not ready and reports that Redis is down for this reason. On a busy machine the first
 * reported reason may be a time-out.
 */
export async function expectRedisDown(broker: Broker, reason: RegExp): Promise<void> {
  await broker.logged('redis: down');
  const said = async (): Promise<string> => {
    const answer = await fetch(`${broker.url}/readyz`);
    const { checks } = (await answer.json()) as { checks: { log: string } };
    return `${answer.status} ${checks.log}`;
  };
  await expect.poll(said).toMatch(new RegExp(`^503 down: .*(?:${reason.source})`));
}
