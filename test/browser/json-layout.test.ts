import { expect, test } from 'vitest';
import { layOutJson } from '../../src/console/json-layout.js';

test('JSON is laid out without a change of its tokens, however deep it is', () => {
  expect(layOutJson('{"a":[1.0,{"b":[]}]}')).toBe(
    '{\n  "a": [\n    1.0,\n    {\n      "b": []\n    }\n  ]\n}',
  );
  const deep = `${'['.repeat(10_000)}1,2${']'.repeat(10_000)}`;
  expect(layOutJson(deep).replaceAll(/\s/g, '')).toBe(deep);
  // Each character of the data costs a few in the page.
  expect(layOutJson(deep).length).toBeLessThan(2 * deep.length);
});
