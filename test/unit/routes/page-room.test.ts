import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import { PageRoom } from '../../../src/routes/page-room.ts';

const STALL_TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;

/** A reply whose reader takes a little now and then, and never all. */
class SlowReply extends EventEmitter {
  destroyed = false;
  readonly socket = { destroyed: false };
  readonly raw = this;
  readonly request = { raw: { httpVersionMajor: 1 } };

  setTimeout(): void {
    // The reader is never silent.
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

test('readers that never finish their pages are cut off when others find no room', async () => {
  let now = 0;
  const room = new PageRoom(STALL_TIMEOUT_MS, () => now);
  const take = (reply: SlowReply): Promise<Buffer | undefined> =>
    room.take(reply as unknown as FastifyReply, async () => Buffer.alloc(MIB));
  const slow = Array.from({ length: 65 }, () => new SlowReply());
  for (const reply of slow) await take(reply);
  await expect(take(new SlowReply())).rejects.toMatchObject({ code: 'overloaded' });
  now = 5_000;
  for (let i = 0; i < 70; i++) {
    const reply = new SlowReply();
    expect(await take(reply)).toHaveLength(MIB);
    reply.destroy();
  }
  expect(slow.filter(({ destroyed }) => destroyed)).toEqual([slow[0]]);
});
