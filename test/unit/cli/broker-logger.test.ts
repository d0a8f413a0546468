import { describe, expect, test } from 'vitest';
import { brokerLogger } from '../../../src/observe/broker-logger.ts';
import { signToken } from '../../support/sign-token.ts';

const token = signToken({ sub: '7' }, 'x');

function logged(log: (logger: ReturnType<typeof brokerLogger>) => void): Record<string, unknown> {
  const lines: string[] = [];
  log(brokerLogger('trace', { write: (line) => lines.push(line) }));
  expect(lines).toHaveLength(1);
  const [line = ''] = lines;
  expect(line).not.toContain('hunter2');
  expect(line).not.toContain(token);
  return JSON.parse(line) as Record<string, unknown>;
}

describe('no log line contains', () => {
  test('the query or the headers of a request', () => {
    const headers = { authorization: 'Bearer hunter2', cookie: 'sluice_token=hunter2' };
    const req = { method: 'GET', url: '/events/news?token=hunter2', headers, raw: { headers } };
    expect(logged((logger) => logger.info({ req }, 'asked'))).toMatchObject({
      req: { method: 'GET', path: '/events/news' },
      msg: 'asked',
    });
  });

  test.each([
    ['/events/news?token=hunter2', '/events/news?token=[redacted]'],
    ['/events/news?a=b&token=hunter2&c=d', '/events/news?a=b&token=[redacted]&c=d'],
    ['"/events/news?TOKEN=hunter2" (GET)', '"/events/news?TOKEN=[redacted]" (GET)'],
    [`/events/news?%74oken=${token}`, '/events/news?%74oken=[redacted]'],
    [`Bearer ${token}, ${token}`, 'Bearer [redacted], [redacted]'],
    ['no token here: token of appreciation', 'no token here: token of appreciation'],
  ])('a token in a message: %s', (message, msg) => {
    expect(logged((logger) => logger.child({ a: 1 }).warn(message))).toMatchObject({ msg });
  });

  test('fields of an error other than its message, or its cause', () => {
    const cause = Object.assign(new Error('why'), { command: { args: ['hunter2'] } });
    const error = Object.assign(new Error('it failed', { cause }), {
      code: 'WRONGPASS',
      command: { name: 'auth', args: ['hunter2'] },
      payload: { sub: 'hunter2' },
    });
    const { err } = logged((logger) => logger.error({ err: error }, 'oh'));
    expect(Object.keys(err as object)).toEqual(['type', 'message', 'stack', 'code']);
    expect(err).toMatchObject({ type: 'Error', message: 'it failed: why', code: 'WRONGPASS' });
    expect(logged((logger) => logger.error(error))).toMatchObject({ err: { message: 'it failed: why' } });
  });
});
