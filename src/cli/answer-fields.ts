import { CliError } from './cli-error.ts';

/** An object in a JSON answer. Another server, or another version of the broker, may have sent it, so nothing is certain. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws CliError when the value is not an object */
export function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw notABroker();
}

/** The objects of a list. @throws CliError when there is no such list */
export function objectsIn(fields: Fields, name: string): readonly Fields[] {
  const list = fields[name];
  if (!Array.isArray(list)) throw notABroker();
  return list.map(fieldsOf);
}

/** The text or the number as a text; empty for any other value. */
export function textIn(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The number; 0 for any other value. */
export function numberIn(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === 'number' ? value : 0;
}

/** For an answer that has the right form, but not what a broker says in it. */
export function notABroker(): CliError {
  return new CliError(
    'The answer is not what a broker of this version sends. Check the address (--url, SLUICE_URL).',
  );
}
