import { TAGS } from './operation.ts';
import type { Operation } from './operation.ts';

const PAGE = { mediaType: 'text/html', schema: { type: 'string' } } as const;

/** `GET /` */
export const CONSOLE: Operation = {
  id: 'console',
  tag: TAGS.lookingIn,
  summary: 'The console',
  description: 'A page that shows what arrives on a channel, and publishes. `/#<channel>` opens a channel.',
  answers: { 200: { description: 'The page.', content: PAGE } },
};

/** `GET /docs` */
export const API_PAGE: Operation = {
  id: 'apiPage',
  tag: TAGS.lookingIn,
  summary: 'This description as a page, to try it',
  answers: { 200: { description: 'The page.', content: PAGE } },
};

/** `GET /openapi.json` */
export const API_DOCUMENT: Operation = {
  id: 'apiDocument',
  tag: TAGS.lookingIn,
  summary: 'This description',
  answers: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { mediaType: 'application/json', schema: { type: 'object' } },
    },
  },
};
