import { BrokerError } from '../events/errors.ts';
import { EVENT_KEY } from '../publish/publication.ts';
import type { UploadForm } from '../publish/upload-parser.ts';

/** The query of `POST /publish/:channel`. */
export interface PublishQuery {
  readonly type: string | undefined;
  /** The key of the event, or of each event of an upload. */
  readonly key: string | undefined;
  /** Whether the channel ends. */
  readonly end: boolean;
  /** Set for an upload. */
  readonly form: UploadForm | undefined;
}

/** @throws BrokerError `invalid-query` */
export function readPublishQuery(url: string, query: Record<string, string | string[]>): PublishQuery {
  try {
    // The query parser does not report invalid percent-encoding.
    decodeURIComponent(url);
  } catch {
    throw new BrokerError('invalid-query', 'The query is not percent-encoded UTF-8.');
  }
  const values: Record<string, string | undefined> = {
    event: undefined,
    key: undefined,
    close: undefined,
    each: undefined,
  };
  for (const [name, value] of Object.entries(query)) {
    if (!Object.hasOwn(values, name))
      throw new BrokerError(
        'invalid-query',
        `The query has "${name.slice(0, 100)}"; only event=<type>, key, close and each are allowed.`,
      );
    if (Array.isArray(value))
      throw new BrokerError('invalid-query', `The query has ${name}= more than once.`);
    values[name] = value;
  }
  const { event: type, key, close = 'false', each: form } = values;
  if (close !== 'true' && close !== 'false')
    throw new BrokerError('invalid-query', 'close= takes true or false.');
  if (key !== undefined && !EVENT_KEY.test(key))
    throw new BrokerError('invalid-query', 'key= takes 1 to 200 visible ASCII characters.');
  if (form !== undefined && form !== 'line' && form !== 'event')
    throw new BrokerError('invalid-query', 'each= takes line or event.');
  if (form === 'event' && type !== undefined)
    throw new BrokerError('invalid-query', 'With each=event the body has the types; remove event=.');
  return { type, key, end: close === 'true', form };
}
