/** An id of an event in its channel: `<ms>-<seq>`. */
export const EVENT_ID = /^\d{1,19}-\d{1,19}$/;
/** Compares as newer than every id, and the empty string as older. */
export const NEVER = '~';

/** Says whether an id of a channel is newer than another. The numbers have no leading zeros. */
export function isNewer(id: string, other: string): boolean {
  return sortable(id) > sortable(other);
}

function sortable(id: string): string {
  return id.replace(/\d+/g, (digits) => digits.padStart(20, '0'));
}
