import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';

const PAGE = { mediaType: 'text/html', schema: { type: 'string' } } as const;

/** `GET /` */
export const CONSOLE: Operation = {
  id: 'console',
  tag: TAGS.monitoring,
  summary: 'The console',
  description:
    'A page that shows the events of channels, can publish, and has an overview of the broker for holders of a publish key. `/#<channel>` opens a channel. With `SLUICE_CONSOLE=off` the broker has no pages.',
  answers: { 200: { description: 'The page.', content: PAGE } },
};

/** `GET /docs` */
export const API_PAGE: Operation = {
  id: 'apiPage',
  tag: TAGS.monitoring,
  summary: 'This document as a page that can send requests',
  answers: { 200: { description: 'The page.', content: PAGE } },
};

/** `GET /openapi.json` */
export const API_DOCUMENT: Operation = {
  id: 'apiDocument',
  tag: TAGS.monitoring,
  summary: 'This document',
  answers: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { mediaType: 'application/json', schema: { type: 'object' } },
    },
  },
};
