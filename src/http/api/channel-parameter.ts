import { CHANNEL_NAME_SCHEMA } from './channel-schemas.ts';
import type { Parameter } from './operation.ts';

export const CHANNEL_PARAMETER: Parameter = {
  name: 'channel',
  in: 'path',
  schema: { type: 'string', ...CHANNEL_NAME_SCHEMA },
};
