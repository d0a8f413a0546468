import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { Parameter } from '../http/api/operation.ts';

export const CHANNEL_PARAMETER: Parameter = {
  name: 'channel',
  in: 'path',
  schema: { type: 'string', ...CHANNEL_NAME_SCHEMA },
};
