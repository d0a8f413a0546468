import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Authority } from './certificates.ts';

/** Makes every client of this process trust the authority, `fetch` included. */
export function trustAuthority({ cert }: Authority): void {
  setDefaultCACertificates([...getCACertificates(), cert]);
}
