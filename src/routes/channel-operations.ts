import { CHANNEL_PARAMETER } from '../http/api/channel-schemas.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';

/** `DELETE /channels/:channel` */
export const DELETE_CHANNEL: Operation = {
  id: 'deleteChannel',
  tag: TAGS.publishing,
  summary: "Delete a channel's events",
  description:
    'Deletes the events of the channel, its state and its end, at once and on every replica. Event ids go on increasing. Subscribers stay, and get an event `sluice:cleared`. The channel can be used again. The request counts as one publish.',
  credentials: ['publishKey', 'token'],
  parameters: [CHANNEL_PARAMETER],
  answers: {
    204: { description: 'The events are deleted.', headers: ['RateLimit', 'RateLimit-Policy'] },
  },
  refusals: [
    'invalid-channel',
    'unauthorized',
    'forbidden',
    'not-found',
    'too-many-requests',
    'keys-unavailable',
    'log-unavailable',
    'log-full',
  ],
  examples: [
    {
      name: 'nothing',
      summary: 'A channel without events',
      parameters: { channel: 'nobody' },
      status: 404,
      answer: problemExample('not-found', 'The channel nobody has no event. There is nothing to delete.'),
    },
  ],
};
