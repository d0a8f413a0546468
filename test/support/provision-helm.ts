import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './find-program.ts';

const run = promisify(execFile);

const HELM = 'helm.sh/helm/v3/cmd/helm@v3.22.0';
/** Keeps the built helm until the next `npm ci`. Go's own cache makes the next build short. */
const FOLDER = join(import.meta.dirname, '../../node_modules/.cache/helm');
/** The first build takes one to three minutes. */
const BUILD_TIMEOUT_MS = 600_000;

/**
 * Vitest's global set-up of the chart's tests: finds or builds helm, and sets TEST_HELM, which `helm` reads. Without
 * helm it leaves TEST_HELM empty and prints a line that says what did not run.
 */
export async function setup(): Promise<void> {
  const { helm, why } = await findHelm();
  process.env['TEST_HELM'] = helm ?? '';
  if (helm === undefined) {
    console.warn(
      `tests: NOT RUN: the chart was not rendered, because ${why}. The checks without helm were run. Install helm or Go, and run: npm test -- --project chart`,
    );
    return;
  }
  const { stdout } = await run(helm, ['version', '--short']);
  console.log(`tests: the chart is rendered by helm ${stdout.trim()}, ${helm}`);
}

async function findHelm(): Promise<{ readonly helm?: string; readonly why?: string }> {
  const installed = findProgram('helm') ?? (await runnable(join(FOLDER, 'helm')));
  if (installed !== undefined) return { helm: installed };
  const go = findProgram('go');
  if (go === undefined) return { why: 'the PATH has neither helm nor go to build it with' };
  console.log(
    `tests: no helm on the PATH: building ${HELM} with go, which takes some minutes the first time.`,
  );
  try {
    await run(go, ['install', HELM], { env: { ...process.env, GOBIN: FOLDER }, timeout: BUILD_TIMEOUT_MS });
    return { helm: join(FOLDER, 'helm') };
  } catch (error) {
    return { why: `go could not build helm (${(error as Error).message.split('\n').slice(0, 2).join(' ')})` };
  }
}

/** Returns the path when the program is there and runs on this machine. */
async function runnable(helm: string): Promise<string | undefined> {
  try {
    await run(helm, ['version', '--short']);
    return helm;
  } catch {
    return undefined;
  }
}
