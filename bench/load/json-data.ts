import { writeMarker } from './marker.ts';
import type { Marker } from './marker.ts';

/** Where the marker begins in the data. */
export const JSON_MARKER_AT = '{"m":"'.length;
/** The size of the marker. */
const MARKER_SIZE = 24;

const NAMES = ['Ada Brandt', 'Luca Moretti', 'Ines Castro', 'Tom Becker', 'Mina Sato', 'Noah Reyes'];
const CITIES = ['Vienna', 'Lisbon', 'Osaka', 'Bergen', 'Toronto', 'Nantes', 'Zagreb'];
const STATES = ['created', 'paid', 'packed', 'shipped', 'delivered', 'returned'];
const WORDS =
  'the parcel has left our warehouse and will reach you on next day please keep your number'.split(' ');

/**
 * Makes the data of an event as an application sends it: an order as JSON, of exactly `size` bytes (at least 330), with other
 * values in each event. `seed` decides the values.
 */
export function writeJsonData(marker: Marker, size: number, seed: number): string {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const of = (texts: readonly string[]): string => texts[random(texts.length)] ?? '';
  const hex = (): string => random(0x1_00_00_00_00).toString(16).padStart(8, '0');
  const item = (): string =>
    `{"sku":"${of(['AX', 'BK', 'CT'])}-${1_000 + random(9_000)}","quantity":${1 + random(9)},"price":${10 + random(90)}.${10 + random(90)}}`;
  const head =
    `{"m":"${writeMarker(marker, MARKER_SIZE)}","id":"${hex()}-${hex()}","status":"${of(STATES)}",` +
    `"customer":{"id":${100_000 + random(900_000)},"name":"${of(NAMES)}","city":"${of(CITIES)}"},` +
    `"items":[${item()},${item()}],"total":${100 + random(900)}.${10 + random(90)},"currency":"EUR","note":"`;
  let note = '';
  while (head.length + note.length < size) note += `${of(WORDS)} `;
  return `${head}${note.slice(0, Math.max(0, size - head.length - 2))}"}`;
}
