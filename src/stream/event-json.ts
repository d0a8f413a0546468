import type { StoredEvent } from '../events/event.ts';
import { eventParts } from '../events/record.ts';

/** The event as a JSON object. `data` is the text as it was published. An event with the empty key has no key for readers. */
export function eventJson({ id, record }: StoredEvent): string {
  const { type, key = '', data } = eventParts(record);
  const typeJson = type === undefined ? '' : `,"event":${JSON.stringify(type)}`;
  const keyJson = key === '' ? '' : `,"key":${JSON.stringify(key)}`;
  return `{"id":"${id}"${typeJson},"data":${JSON.stringify(data)}${keyJson}}`;
}
