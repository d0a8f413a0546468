import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../../src/events/channel-name.ts';
import { GroupCommit } from '../../../../src/log/disk/group-commit.ts';
import { appendTo } from '../../../support/append-request.ts';
import { CommitRecorder } from '../../../support/commit-recorder.ts';
import { FakeStorage } from '../../../support/fake-storage.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

const [a, b, c] = ['a', 'b', 'c'].map(parseChannelName) as [ChannelName, ChannelName, ChannelName];
const FULL = Object.assign(new Error('database or disk is full'), { errcode: 13 });
const EIO = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });

let storage: FakeStorage;
let replies: CommitRecorder;
let group: GroupCommit;
let syncs: ((error: Error | null) => void)[];
let tickets: number;

function open(pace: 'always' | '1s' = 'always'): void {
  storage = new FakeStorage();
  replies = new CommitRecorder(storage, pace === 'always');
  syncs = [];
  tickets = 0;
  const sync = (done: (error: Error | null) => void): void => {
    storage.beginSync();
    syncs.push(done);
  };
  group = new GroupCommit({ storage, pace, sync, replies });
}

function write(channel: ChannelName, events = 1): number {
  replies.channels.set(++tickets, channel);
  group.write(tickets, appendTo(channel, events));
  return tickets;
}

function read(channel: ChannelName, kind: 'state' | 'follow' | 'unfollow' = 'state'): number {
  replies.channels.set(++tickets, channel);
  group.read(tickets, { kind, channel });
  return tickets;
}

/** Does so many waiting reads: a turn does one at least, and a busy machine ends it behind that one. */
function turns(reads: number): void {
  for (let i = 0; i < reads; i++) group.turn();
}

function endSync(error: Error | null = null): void {
  storage.endSync(error === null);
  syncs.shift()?.(error);
}

function close(): Promise<Error | undefined> {
  return new Promise((resolve) => group.close(resolve));
}

beforeEach(() => open());
afterEach(async () => {
  storage.failure = undefined;
  const closed = close();
  while (!storage.isClosed) {
    endSync();
    await nextTurn();
  }
  await closed;
  if (replies.faults.length > 0) throw new Error(replies.faults.join('\n'));
});

describe('a write', () => {
  test('gets its outcome when it is on disk', () => {
    const ticket = write(a);
    group.turn();
    expect([storage.commits, syncs.length, replies.outcomes.size]).toEqual([1, 1, 0]);
    endSync();
    expect(replies.outcomes.get(ticket)?.tail).toBe('1-1');
  });

  test('shares a commit and a sync with all that arrived during the sync before', () => {
    write(a);
    group.turn();
    for (let i = 0; i < 100; i++) {
      write(i % 2 === 0 ? a : b, 2);
      group.turn();
    }
    expect(syncs).toHaveLength(1);
    endSync();
    expect(replies.outcomes.size).toBe(1);
    expect(storage.sizes).toEqual([1, 100]);
    endSync();
    expect(replies.outcomes.size).toBe(101);
    expect([replies.syncs, replies.commits]).toEqual([2, [1, 200]]);
  });

  test('of many events at once is done in several commits', async () => {
    for (let i = 0; i < 100; i++) write(a, 256);
    group.turn();
    while (replies.outcomes.size < 100) {
      endSync();
      await nextTurn();
    }
    expect(storage.sizes).toEqual([16, 16, 16, 16, 16, 16, 4]);
  });

  test('that the database refuses changes nothing, and the next one is done', () => {
    storage.failure = FULL;
    const refused = write(a);
    group.turn();
    expect(replies.failures.get(refused)).toMatchObject({ code: 'log-full', mayBeDone: false });
    storage.failure = undefined;
    const next = write(a);
    group.turn();
    endSync();
    expect(replies.outcomes.get(next)?.tail).toBe('1-1');
    expect(replies.healths).toEqual([FULL.message, undefined]);
  });

  test('waits for a checkpoint when the write-ahead log is long, and never during a sync', () => {
    write(a);
    group.turn();
    storage.needsCheckpoint = true;
    write(a);
    group.turn();
    expect(storage.checkpoints).toBe(0);
    endSync();
    expect([storage.checkpoints, storage.commits]).toEqual([1, 2]);
  });
});

describe('a question', () => {
  test('about a channel that is being synced waits for the sync, and others do not', () => {
    write(a);
    group.turn();
    const [ofA, ofB] = [read(a), read(b)];
    turns(2);
    expect([replies.states.has(ofA), replies.states.has(ofB)]).toEqual([false, true]);
    write(a);
    group.turn();
    endSync();
    // It is answered before the next commit touches the channel.
    expect(replies.states.get(ofA)).toBe('1-1');
  });

  test('to follow and to follow no longer keep their order', () => {
    write(a);
    group.turn();
    read(a, 'follow');
    read(a, 'unfollow');
    turns(2);
    endSync();
    turns(2);
    expect(storage.isFollowed(a)).toBe(false);
  });
});

describe('when the disk cannot sync', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('writes fail at once, and their outcomes come when a checkpoint has saved them', async () => {
    const [first, second] = [write(a), write(b)];
    group.turn();
    const waiting = write(a);
    storage.failure = EIO;
    endSync(EIO);
    expect(replies.failures.get(first)).toMatchObject({ code: 'log-unavailable', mayBeDone: true });
    expect(replies.failures.get(waiting)).toMatchObject({ code: 'log-unavailable', mayBeDone: false });
    const question = read(a);
    const refused = write(c);
    group.turn();
    expect(replies.failures.get(refused)).toMatchObject({ mayBeDone: false });
    vi.advanceTimersByTime(2_000);
    expect([replies.outcomes.size, replies.states.size, syncs.length]).toEqual([0, 0, 0]);
    storage.failure = undefined;
    vi.advanceTimersByTime(1_000);
    expect(replies.outcomes.get(second)?.tail).toBe('1-1');
    await nextTurn();
    expect(replies.states.get(question)).toBe('1-1');
    expect(replies.healths).toEqual([EIO.message, undefined]);
    const next = write(a);
    group.turn();
    endSync();
    expect(replies.outcomes.get(next)?.tail).toBe('1-2');
  });

  test('the sync of a checkpoint counts too: nothing is written until another one has succeeded', async () => {
    write(a);
    group.turn();
    endSync();
    storage.needsCheckpoint = true;
    storage.failure = EIO;
    const refused = write(a);
    group.turn();
    expect(replies.failures.get(refused)).toMatchObject({ code: 'log-unavailable', mayBeDone: false });
    storage.failure = undefined;
    const early = write(a);
    group.turn();
    expect(replies.failures.get(early)).toMatchObject({ mayBeDone: false });
    vi.advanceTimersByTime(500);
    expect(storage.checkpoints).toBe(1);
    const next = write(a);
    group.turn();
    endSync();
    expect(replies.outcomes.get(next)?.tail).toBe('1-2');
  });
});

describe('with a sync every second', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    open('1s');
  });
  afterEach(() => void vi.useRealTimers());

  test('a write gets its outcome at once, and is synced within a second', () => {
    for (let i = 0; i < 10; i++) {
      write(a);
      group.turn();
    }
    expect([replies.outcomes.size, syncs.length]).toEqual([10, 0]);
    vi.advanceTimersByTime(1_000);
    // While the sync hangs, writes wait after a second: no more than that can get lost.
    write(a);
    group.turn();
    vi.advanceTimersByTime(1_000);
    const late = write(a);
    group.turn();
    expect(replies.outcomes.size).toBe(11);
    endSync();
    expect([syncs.length, replies.outcomes.has(late)]).toEqual([1, true]);
    endSync();
    vi.advanceTimersByTime(1_000);
    endSync();
    vi.advanceTimersByTime(5_000);
    expect([storage.isDurable, syncs.length]).toEqual([true, 0]);
  });
});

test('closing does the writes that wait, and refuses later ones', async () => {
  const [first] = [write(a)];
  group.turn();
  const second = write(a);
  const closed = close();
  const late = write(a);
  endSync();
  await nextTurn();
  endSync();
  expect(await closed).toBeUndefined();
  expect([...replies.outcomes.keys()]).toEqual([first, second]);
  expect(replies.failures.get(late)).toMatchObject({ mayBeDone: false });
});

test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
  'nobody sees what is not on disk, and outcomes come in order: seed %d',
  async (seed) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const channels = [a, b, c];
    const writes: number[] = [];
    const reads: number[] = [];
    for (let step = 0; step < 400; step++) {
      const channel = channels[below(channels.length)] as ChannelName;
      const kind = below(10);
      if (kind < 4) writes.push(write(channel, 1 + below(3)));
      else if (kind < 7) reads.push(read(channel));
      else if (kind === 7) endSync(below(12) === 0 ? EIO : null);
      else if (kind === 8) storage.needsCheckpoint = true;
      else storage.failure = below(6) === 0 ? FULL : undefined;
      if (below(3) > 0) group.turn();
      if (below(10) === 0) vi.advanceTimersByTime(600);
      if (below(5) === 0) await nextTurn();
    }
    storage.failure = undefined;
    vi.advanceTimersByTime(600);
    for (let i = 0; i < 20; i++) {
      endSync();
      group.turn();
      await nextTurn();
    }
    vi.useRealTimers();
    // Each request has had one reply; a write that may have been done has had its outcome as well.
    expect(reads.filter((ticket) => !replies.states.has(ticket))).toEqual([]);
    for (const ticket of writes) {
      const failure = replies.failures.get(ticket);
      expect(replies.outcomes.has(ticket)).toBe(failure === undefined || failure.mayBeDone);
    }
    expect(storage.isDurable).toBe(true);
  },
);
