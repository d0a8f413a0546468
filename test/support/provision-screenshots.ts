import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where the screenshots of a test run are kept. Git ignores the folder. */
export const SCREENSHOTS = join(import.meta.dirname, '../../test-results/screenshots');

/**
 * Vitest's global set-up of the browser tests: removes the screenshots of the run before. It runs once, before the test files
 * that write screenshots side by side.
 */
export function setup(): void {
  rmSync(SCREENSHOTS, { recursive: true, force: true });
}
