import { once } from 'node:events';
import type { Browser, ConsoleMessage, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { findProgram } from '../support/find-program.ts';
import { launchBrowser } from '../support/launch-browser.ts';
import { SampleRunner } from '../support/run-samples.ts';
import type { SampleLanguage } from '../support/run-samples.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';

const SECRET = 'a secret of more than thirty-two bytes';
const STREAMS = new Set(['subscribe', 'subscribeToMany']);
/** Characters that a language or a shell could take for its own. */
const TRICKY = `it's "quoted" \`$HOME\` \\n %s {{x}} \${y} @file #! \u202E \u{E0001} 😀 </script>`;

let broker: Broker;
let browser: Browser;
let page: Page;
let runner: SampleRunner;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET });
  browser = await launchBrowser('chrome');
  const TOKEN = signToken({ sluice: { subscribe: ['*'] }, exp: inSeconds(600) }, SECRET);
  runner = await SampleRunner.start({ SLUICE_KEY: broker.key, TOKEN });
  page = await browser.newPage();
  await page.goto(`${broker.url}/docs`);
  await page.waitForSelector('.operation');
  // The visitor has a credential, so that the samples of closed channels have one.
  await page.type('#credential', broker.key);
  for (const channel of ['news', 'news.de', 'orders.42']) await broker.publish(channel, 'an event');
});
afterAll(async () => {
  await browser?.close();
  await runner?.[Symbol.asyncDispose]();
  await broker?.kill();
});

/** Fills in the forms of all operations, or of one, and returns their samples: by language, then by operation. */
async function samples(
  only?: string,
  values: Readonly<Record<string, string>> = {},
): Promise<Map<string, Map<string, string>>> {
  const found = await page.evaluate(
    async (id, filled) => {
      const rows: { language: string; id: string; code: string }[] = [];
      for (const view of document.querySelectorAll<HTMLDetailsElement>(id ? `#api-${id}` : '.operation')) {
        view.open = true;
        await new Promise((resolve) => setTimeout(resolve));
        for (const field of view.querySelectorAll<HTMLInputElement>('.field input, .field textarea')) {
          if (field.required && field.value === '') field.value = 'news';
          field.value = filled[field.name] ?? field.value;
          field.dispatchEvent(new Event('input', { bubbles: true }));
        }
        for (const tab of view.querySelectorAll<HTMLElement>('[role="tab"]')) {
          tab.click();
          const code = view.querySelector('.sample code')?.textContent ?? '';
          rows.push({ language: tab.textContent ?? '', id: view.id.slice('api-'.length), code });
        }
      }
      return rows;
    },
    only ?? '',
    values,
  );
  const byLanguage = Map.groupBy(found, ({ language }) => language);
  return new Map(
    [...byLanguage].map(([language, rows]) => [language, new Map(rows.map(({ id, code }) => [id, code]))]),
  );
}

/** Python is not on every machine. */
const LANGUAGES = (['curl', 'fetch', '@sluice/client', 'Python', 'sluice'] as const).filter(
  (language) => language !== 'Python' || findProgram('python3') !== undefined,
);

async function dataOf(channel: string): Promise<unknown> {
  const token = signToken({ sluice: { subscribe: ['*'] }, exp: inSeconds(60) }, SECRET);
  const response = await fetch(`${broker.url}/channels/${channel}/events?after=earliest`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { events } = (await response.json()) as { events: { data: unknown }[] };
  return events.map(({ data }) => data);
}

test('the samples of every operation run, and none of them has the credential', async () => {
  const all = await samples();
  for (const codes of all.values()) expect([...codes.values()].join('\n')).not.toContain(broker.key);
  const run = async (language: SampleLanguage, more = ''): Promise<string> => {
    const codes = [...(all.get(language) ?? [])].filter(([id]) => !STREAMS.has(id));
    expect(codes.filter(([, code]) => code === '')).toEqual([]);
    return await runner.run(
      language,
      codes.map(([, code]) => code + more),
    );
  };
  // After a sample, curl writes the status of the answer.
  const statuses = await run('curl', " -sS -o /dev/null -w '%{http_code}\\n'");
  expect(new Set(statuses.trim().split('\n'))).toEqual(new Set(['200', '204']));
  const answers = await run('fetch');
  expect(answers).not.toMatch(/^[45]\d\d /m);
  if (LANGUAGES.includes('Python')) await run('Python');
  expect(await run('@sluice/client')).toContain("channel: 'news'");
  expect(await run('sluice')).toContain('orders.42');
});

test.each(LANGUAGES)('the samples of %s publish exactly what the form has', async (language) => {
  const name = language.replaceAll(/\W/g, '');
  const lines = `first ${TRICKY}\nsecond`;
  const raw = await samples('publishRaw', {
    'path channel': `raw.${name}`,
    'query event': TRICKY.slice(0, 20),
    body: lines,
  });
  const body = JSON.stringify(
    { channel: `json.${name}`, event: 'typed', data: { text: TRICKY, __proto: 1 } },
    null,
    2,
  );
  const json = await samples('publish', { body });
  await runner.run(
    language,
    [raw, json].map((found) => [...(found.get(language)?.values() ?? [])].join()),
  );
  expect(await dataOf(`raw.${name}`)).toEqual([lines]);
  expect(await dataOf(`json.${name}`)).toEqual([JSON.stringify({ text: TRICKY, __proto: 1 })]);
});

test.each(LANGUAGES)('the samples of %s subscribe', async (language) => {
  const found = await samples('subscribeToMany', { 'query channel': 'orders.42 news.de', 'query last': '1' });
  const [code = ''] = found.get(language)?.values() ?? [];
  expect(await runner.run(language, [code], 'orders.42')).toContain('an event');
});

test('the sample with an EventSource receives events in a page', async () => {
  const found = await samples('subscribe', { 'path channel': 'orders.42', 'query last': '1' });
  const [code = ''] = found.get('EventSource')?.values() ?? [];
  const tab = await browser.newPage();
  await tab.goto(`${broker.url}/docs`);
  const token = signToken({ sluice: { subscribe: ['*'] }, exp: inSeconds(60) }, SECRET);
  await browser.setCookie({ name: 'sluice_token', value: token, domain: '127.0.0.1', path: '/' });
  const logged = once(tab as unknown as NodeJS.EventEmitter, 'console');
  await tab.evaluate(`${code}; 0`);
  const [message] = (await logged) as [ConsoleMessage];
  expect(message.text()).toMatch(/^\d+-\d+ an event$/);
});
