import { describe, expect, test } from 'vitest';
import { startEdge } from '../support/edge.ts';
import { serverPorts } from '../support/server-ports.ts';
import { Stage } from '../support/stage.ts';
import { edgeContract } from './edge-contract.ts';

const PUBLISHERS = 4;

describe('caddy', () => {
  edgeContract('caddy');

  test('a replica that is stopped does not keep publishes from the other one', async () => {
    const [adminPort = 0] = await serverPorts(1);
    const stage = await Stage.open({ replicas: 0, env: { SLUICE_ADMIN_PORT: String(adminPort) } });
    await stage.addReplica({ HOST: '127.0.0.1' });
    await stage.addReplica({ HOST: '127.0.0.2' });
    const [one = '', other = ''] = stage.urls.map((url) => new URL(url).host);
    const edge = await startEdge('caddy', { replicas: [one, other], adminPort });
    const answers: number[] = [];
    const headers = { authorization: `Bearer ${stage.broker(0).key}` };
    const publishUntil = async (published: number): Promise<void> => {
      while (answers.filter((status) => status === 200).length < published) {
        const answer = await fetch(`${edge.url}/publish/news`, { method: 'POST', headers, body: 'x' });
        await answer.text();
        answers.push(answer.status);
      }
    };
    const publish = (published: number): Promise<unknown> =>
      Promise.all(Array.from({ length: PUBLISHERS }, () => publishUntil(published)));
    try {
      await publish(50);
      const stopped = stage.broker(1).stop();
      await publish(500);
      await stopped;
      // Each publisher can fail a few times, until Caddy has seen that the replica is not ready.
      expect(answers.length).toBeLessThan(500 + PUBLISHERS * 15);
    } finally {
      await edge.stop();
      await stage.close();
    }
  });
});
