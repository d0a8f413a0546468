import { expect, test } from 'vitest';
import { runSluice } from '../support/run-program.ts';

const KEY = 'a-publish-key-of-the-tests';

test('says that the settings are valid, and which are in force, without secrets', async () => {
  const env = { PORT: '8080', SLUICE_PUBLISH_KEYS: KEY, SLUICE_URL: 'http://127.0.0.1:1', SLUICE_TOKEN: 'x' };
  const { code, stdout } = await runSluice(['check'], { env });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^PORT +8080 +set$/m);
  expect(stdout).toMatch(/^HOST +0\.0\.0\.0 +default$/m);
  expect(stdout).toMatch(/^SLUICE_PUBLISH_KEYS +set +set$/m);
  expect(stdout).toMatch(/\nThe settings are valid\.\n$/);
  expect(stdout).not.toContain(KEY);
});

test('names all problems, and fails', async () => {
  const env = { PORT: 'x', SLUICE_RETRY: '1', SLUICE_HISTROY_SIZE: '5' };
  const { code, stdout, stderr } = await runSluice(['check'], { env });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^PORT is "x"/m);
  expect(stderr).toMatch(/^SLUICE_RETRY is "1"/m);
  expect(stderr).toMatch(/Did you mean SLUICE_HISTORY_SIZE\?/);
  expect(stderr).toMatch(/^sluice: The settings are not valid: 3 problems\.$/m);
});

test('prints one JSON object, for valid settings and for others', async () => {
  const valid = await runSluice(['check', '--json'], { env: { SLUICE_PUBLISH_KEYS: KEY } });
  expect(JSON.parse(valid.stdout)).toMatchObject({
    valid: true,
    log: 'embedded',
    settings: { PORT: '3000' },
  });
  const { code, stdout } = await runSluice(['check', '--json'], { env: { PORT: 'x' } });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({ valid: false, problems: [expect.stringContaining('PORT') as string] });
});

test('warns of likely mistakes', async () => {
  const { code, stderr } = await runSluice(['check'], { env: { RETRY: '1s' } });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^warning: RETRY is not read/m);
});

test('fits a terminal of 20 columns', async () => {
  const { stdout } = await runSluice(['check'], { columns: 20 });
  expect(stdout).toContain('3000');
});
