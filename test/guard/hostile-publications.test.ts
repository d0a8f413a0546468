import { PublicationListReader } from '../../src/publish/publication-list.ts';
import type { ListForm } from '../../src/publish/publication-list.ts';
import { PublicationScanner } from '../../src/publish/publication-scanner.ts';
import { UploadParser } from '../../src/publish/upload-parser.ts';
import type { UploadForm } from '../../src/publish/upload-parser.ts';
import { hostileReaders } from './hostile-readers.ts';
import type { Readers } from './hostile-readers.ts';

/** Every reader of lists and uploads takes time that grows no faster than the text's length, for any text. */

const MAX_BYTES = 1024 ** 2;

/** Blanks, brackets, quotes, line breaks, and beginnings of tokens, lines, fields and publications. */
const UNITS = [
  [' ', ',', '"', '[', ']', '{', '}', ':', '1', '\\', '\\"', '\\u', 'a', 'é', '😀', '\0', '\ufeff'],
  ['\n', '\r', '\r\n', '\n\n', 'a\n', '[]', '{},', '[{', '{"', '"a":', '{"a":', '"\\u0061"'],
  ['data', 'data:', 'data:\n', 'data: a\n', 'data\n\n', 'event:', 'event: a\n', ':\n', 'id:1\n'],
  [
    '{"channel":"a","data":1},',
    '{"channel":"a","data":1}\n',
    '{"channel":"a","close":true},',
    '{"channel":1}\n',
  ],
].flat();

function list(text: string, form: ListForm): void {
  new PublicationListReader(Buffer.from(text), form, MAX_BYTES).readUntil(Infinity);
}

function upload(text: string, form: UploadForm, chunk: number): void {
  const parser = new UploadParser(form, {}, MAX_BYTES);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) {
    parser.push(bytes.subarray(at, at + chunk));
    while (parser.take().length > 0);
    parser.refuseFault();
  }
  parser.takeRest();
}

const READERS: Readers = {
  'a publication': [MAX_BYTES / 8, (text) => new PublicationScanner(MAX_BYTES).readBody(Buffer.from(text))],
  'a list': [MAX_BYTES / 8, (text) => list(`[${text}`, 'list')],
  'a list with an end': [MAX_BYTES / 8, (text) => list(`[${text}{"channel":"a","data":1}]`, 'list')],
  'data in a list': [MAX_BYTES / 8, (text) => list(`[{"channel":"a","data":${text}`, 'list')],
  NDJSON: [MAX_BYTES / 8, (text) => list(text, 'lines')],
  'an upload of lines': [MAX_BYTES / 8, (text) => upload(text, 'line', 4_096)],
  'an upload of events': [MAX_BYTES / 8, (text) => upload(text, 'event', 4_096)],
  'an upload of data': [MAX_BYTES / 8, (text) => upload(`data:${text}`, 'event', 4_096)],
  'an upload of lines in chunks of one byte': [MAX_BYTES / 64, (text) => upload(text, 'line', 1)],
  'an upload of events in chunks of one byte': [MAX_BYTES / 64, (text) => upload(text, 'event', 1)],
};

hostileReaders(READERS, UNITS);
