import type { TestProject } from 'vitest/node';
import { bundleBroker } from './bundled-broker.ts';

/** Vitest's global set-up of the projects that start brokers: `startBroker` starts the bundle. One bundle serves all projects. */
export async function setup(project: TestProject): Promise<void> {
  if (process.env['TEST_BROKER'] !== undefined) return;
  process.env['TEST_BROKER'] = await bundleBroker();
  project.onTestsRerun(async () => {
    await bundleBroker();
  });
}
