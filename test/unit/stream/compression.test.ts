import { constants, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId, StoredEvent } from '../../../src/events/event.ts';
import { encodeRecord } from '../../../src/events/record.ts';
import { Compression } from '../../../src/stream/compression.ts';
import type { GzipBody } from '../../../src/stream/gzip-body.ts';
import { SseConnection } from '../../../src/stream/sse-connection.ts';
import { recordingWire } from '../../support/recording-wire.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const NEWS = parseChannelName('news');
const context = { pulse: { now: 0 }, loop: new FairLoop() };

/** A stream, and what is written to it. */
class Written {
  readonly stream: SseConnection;
  readonly #written: (Buffer | string)[];

  constructor(gzip?: GzipBody) {
    const wire = recordingWire();
    this.#written = wire.written;
    this.stream = new SseConnection(wire, context, {
      expiry: { at: Infinity, reason: 'aged' },
      channels: NEWS,
      holder: undefined,
      heartbeatEvents: false,
      gzip,
    });
    if (gzip !== undefined) this.#written.push(gzip.begin(''));
  }

  get bytes(): Buffer {
    return Buffer.concat(
      this.#written.map((one) => (typeof one === 'string' ? Buffer.from(one, 'latin1') : one)),
    );
  }
}

/** A compressed stream and a plain one, to which the same is written. */
class Reader {
  readonly plain = new Written();
  readonly coded: Written;
  position: EventId;
  live = true;

  constructor(compression: Compression, position: EventId) {
    const gzip = compression.body();
    compression.join(NEWS, gzip);
    this.coded = new Written(gzip);
    this.position = position;
  }

  deliver(run: EventRun, live: boolean): void {
    this.position = run.to;
    this.write((stream) => stream.deliver(run, live));
  }

  write(write: (stream: SseConnection) => void): void {
    for (const { stream } of [this.plain, this.coded]) {
      write(stream);
      // Further pieces of a large write.
      while (!stream.writable && !stream.run() && stream.bufferedBytes > 0);
    }
  }

  /** What a client has decoded so far. */
  get decoded(): Buffer {
    return gunzipSync(this.coded.bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  }
}

/** The events of a channel, and those who read it. */
class Stage {
  readonly compression = new Compression();
  readonly events: StoredEvent[] = [];
  readonly readers: Reader[] = [];

  get tail(): EventId {
    return this.events.at(-1)?.id ?? ORIGIN;
  }

  join(): Reader {
    const reader = new Reader(this.compression, this.tail);
    this.readers.push(reader);
    return reader;
  }

  append(data: string): StoredEvent {
    const event = {
      id: `${this.events.length + 1}-0` as EventId,
      prev: this.tail,
      record: Buffer.from(encodeRecord({ data })),
    };
    this.events.push(event);
    return event;
  }

  /** Gives new events to all live readers, in one run. */
  publish(...data: readonly string[]): void {
    const from = this.tail;
    const run = new EventRun(
      from,
      data.map((one) => this.append(one)),
    );
    for (const reader of this.readers) if (reader.live) reader.deliver(run, true);
  }

  /** Gives a reader what it misses: a run of its own, or the end of a longer run. */
  catchUp(reader: Reader, earlier: number): void {
    const from = this.events.findIndex(({ prev }) => prev === reader.position);
    if (from >= 0) {
      const skipped = Math.min(from, earlier);
      const first = from - skipped;
      const run = new EventRun((this.events[first] as StoredEvent).prev, this.events.slice(first));
      reader.deliver(run.without(skipped), false);
    }
    reader.live = true;
  }
}

/** An event of some 400 bytes, as one of 50 sensors sends it. Some values change little, and some are never the same. */
function measurement(random: () => number): string {
  const digits = (size: number): number => Math.floor(random() * 10 ** size);
  const sensor = digits(2) % 50;
  return JSON.stringify({
    device: `sensor-${sensor}`,
    site: ['berlin', 'paris', 'oslo'][sensor % 3],
    at: new Date(1_763_596_800_000 + digits(6)).toISOString(),
    sequence: 1_000_000 + digits(4),
    temperature: 20 + digits(2) / 100,
    humidity: 40 + digits(2) / 10,
    pressure: 1_000 + digits(2) / 10,
    voltage: 3 + digits(3) / 1_000,
    status: random() < 0.95 ? 'ok' : 'degraded',
    firmware: `2.14.${sensor % 7}`,
    position: { latitude: 52 + sensor / 1e3, longitude: 13 + sensor / 1e4 },
    network: { operator: 'Example Telecom', rssi: -digits(2), latencyMs: digits(3) / 10 },
    readings: [digits(4) / 100, digits(4) / 100, digits(4) / 100],
  });
}

function randomData(random: () => number): string {
  const kind = random();
  if (kind < 0.7) return measurement(random);
  if (kind < 0.8) return '';
  if (kind < 0.9) return `grüße\nan alle ${Math.floor(random() * 1e6)} 😀`;
  const size = kind < 0.998 ? 20_000 : 300_000;
  return Array.from({ length: size / 10 }, () => random().toString(36).slice(2, 12)).join('');
}

describe('compressed streams', () => {
  test.each([1, 2, 3, 4])('decode to the bytes of plain streams, whatever happens (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const upTo = (most: number): number => Math.floor(random() * most);
    const stage = new Stage();
    for (let step = 0; step < 400; step++) {
      const { readers } = stage;
      const reader = readers[upTo(readers.length)];
      const what = random();
      if (reader === undefined || what < 0.04) stage.join();
      else if (what < 0.6) stage.publish(...Array.from({ length: 1 + upTo(3) }, () => randomData(random)));
      else if (what < 0.7) reader.write((stream) => stream.heartbeat());
      else if (what < 0.75) reader.write((stream) => stream.ready(NEWS, reader.position));
      else if (what < 0.85) reader.live = false;
      else if (what < 0.98) stage.catchUp(reader, upTo(60));
      else {
        readers.splice(readers.indexOf(reader), 1);
        reader.write((stream) => stream.end('drained', 2_000));
        stage.compression.leave(NEWS);
        expect(gunzipSync(reader.coded.bytes).equals(reader.plain.bytes)).toBe(true);
      }
      if (step % 20 === 0)
        for (const { decoded, plain } of readers) expect(decoded.equals(plain.bytes)).toBe(true);
    }
    for (const reader of stage.readers) {
      reader.write((stream) => stream.ended(NEWS, reader.position));
      expect(gunzipSync(reader.coded.bytes).equals(reader.plain.bytes)).toBe(true);
    }
  });

  test('compress each run once, and a late reader soon gets what the others get', () => {
    const random = seededRandom(7);
    const stage = new Stage();
    for (let n = 0; n < 50; n++) stage.join();
    for (let n = 0; n < 100; n++) stage.publish(measurement(random));
    expect(stage.compression.figures.compressions).toBe(100);
    const late = stage.join();
    const [early] = stage.readers as [Reader];
    for (let n = 0; n < 20; n++) stage.publish(measurement(random));
    // The window has some twelve events. Until the late reader has them, its events are compressed once more.
    expect(stage.compression.figures.compressions).toBeLessThan(140);
    const end = late.coded.bytes.subarray(-300);
    expect(early.coded.bytes.subarray(-300).equals(end)).toBe(true);
    expect(late.decoded.equals(late.plain.bytes)).toBe(true);
  });

  test('take a quarter of the bytes for JSON of 400 bytes', () => {
    const random = seededRandom(9);
    const stage = new Stage();
    for (let n = 0; n < 200; n++) stage.join();
    for (let n = 0; n < 50; n++) stage.publish(measurement(random));
    const [{ plain, coded }] = stage.readers as [Reader];
    const before = [plain.bytes.length, coded.bytes.length] as const;
    for (let n = 0; n < 200; n++) stage.publish(measurement(random));
    const ratio = (plain.bytes.length - before[0]) / (coded.bytes.length - before[1]);
    expect(ratio).toBeGreaterThan(4);
  });

  test('share the segments of a run with those who get only its end', () => {
    const random = seededRandom(11);
    const stage = new Stage();
    for (let n = 0; n < 10; n++) stage.join().live = false;
    const compressionsOf = (): number => stage.compression.figures.compressions;
    stage.publish(...Array.from({ length: 300 }, () => measurement(random)));
    const whole = new EventRun(ORIGIN, stage.events);
    for (const [n, reader] of stage.readers.entries()) reader.deliver(whole.without(n), false);
    // All readers share the compressed bytes of the one run.
    expect(compressionsOf()).toBe(1);
    for (const { decoded, plain } of stage.readers) expect(decoded.equals(plain.bytes)).toBe(true);
  });
});
