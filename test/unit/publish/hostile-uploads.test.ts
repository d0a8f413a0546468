import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import type { EventId } from '../../../src/events/event.ts';
import { Upload } from '../../../src/publish/upload.ts';
import type { UploadOptions } from '../../../src/publish/upload.ts';
import { UploadParser } from '../../../src/publish/upload-parser.ts';
import type { UploadForm } from '../../../src/publish/upload-parser.ts';

// What an upload that is made on purpose can cost.

type Page = Parameters<UploadOptions['append']>[0];

/** Starts an upload over a log that takes everything. Counts the pieces of work that take turns. */
function upload(form: UploadForm, more: Partial<UploadOptions> = {}) {
  const pages: Page[] = [];
  let turns = 0;
  const started = new Upload({
    parser: new UploadParser(form, {}, 1_000_000),
    append: async (page) => {
      pages.push(page);
      return page.events.map((_event, i) => ({
        id: `1-${page.firstPosition + i}` as EventId,
        replayed: false,
      }));
    },
    refusalOf: () => undefined,
    inTurn: async (work) => {
      turns++;
      return work();
    },
    end: false,
    ifLast: undefined,
    ...more,
  });
  return { started, pages, turns: () => turns };
}

test.each<[UploadForm, string]>([
  ['line', '\n'],
  ['line', '\r\n'],
  ['event', '\r'],
  ['event', ':\n'],
  ['event', 'id\n'],
  ['event', 'event:sluice:ready\ndata\n\n'],
])('each=%s: lines without events (%j) are read a few thousand at a time', async (form, text) => {
  const last = form === 'line' ? 'last\n' : 'data: last\n\n';
  const lines = 30_000;
  const { started, pages, turns } = upload(form);
  started.write(Buffer.from(text.repeat(lines) + last));
  started.complete();
  expect(await started.result).toMatchObject({ published: 1 });
  expect(pages.map(({ events }) => events.map(({ data }) => data))).toEqual([['last']]);
  expect(turns()).toBeGreaterThanOrEqual(lines / 4_000);
});
