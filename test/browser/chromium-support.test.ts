import { expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';

test('a real Chromium runs scripts and has an EventSource', async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.setContent('<title>Sluice</title>');
    expect(await page.title()).toBe('Sluice');
    expect(await page.evaluate(() => typeof EventSource)).toBe('function');
  } finally {
    await browser.close();
  }
});
