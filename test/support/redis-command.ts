import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Sends one command on a new connection and returns the answer as redis-cli prints it to a pipe: nil is '', an array
 * has one element a line. Tests inspect Redis with this client, not with the one that Sluice uses. `login` is a user
 * and a password, for when the default user may not run the command.
 * @throws Error with Redis' message when the answer is an error
 */
export async function redisCommand(
  address: RedisAddress,
  args: readonly string[],
  login?: readonly [user: string, password: string],
): Promise<string> {
  const socket = connect(address.port, address.host);
  try {
    if (login !== undefined) socket.write(encode(['AUTH', ...login]));
    socket.write(encode(args));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      const first = parse(received, 0);
      const reply = login === undefined || first === undefined ? first : parse(received, first.end);
      if (reply === undefined) continue;
      if (reply.failed) throw new Error(`Redis answered ${args[0]} with: ${reply.text}`);
      return reply.text;
    }
    throw new Error(`Redis closed the connection before it answered ${args[0]}.`);
  } finally {
    socket.destroy();
  }
}

/** Resolves once Redis answers PING. Rejects after `limit` ms, or at once when `signal` is aborted. */
export async function redisReady(address: RedisAddress, limit: number, signal?: AbortSignal): Promise<void> {
  const giveUp = AbortSignal.any([AbortSignal.timeout(limit), ...(signal ? [signal] : [])]);
  for (;;) {
    const answer = await redisCommand(address, ['PING']).catch(() => '');
    if (answer === 'PONG') return;
    // Redis refuses, resets or still loads its data. No event says when that ends, so poll.
    await delay(10, undefined, { signal: giveUp });
  }
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}

interface Reply {
  readonly text: string;
  readonly failed: boolean;
  /** The offset at which the next reply begins. */
  readonly end: number;
}

/** Parses one RESP2 reply that begins at `start`. Returns undefined while a part of the reply is missing. */
function parse(bytes: Buffer, start: number): Reply | undefined {
  const eol = bytes.indexOf('\r\n', start);
  if (eol < 0) return undefined;
  const line = bytes.toString('utf8', start + 1, eol);
  const end = eol + 2;
  switch (bytes.toString('latin1', start, start + 1)) {
    case '$':
      return parseBulk(bytes, end, Number(line));
    case '*':
      return parseArray(bytes, end, Number(line));
    case '-':
      return { text: line, failed: true, end };
    default:
      return { text: line, failed: false, end };
  }
}

function parseBulk(bytes: Buffer, start: number, length: number): Reply | undefined {
  if (length < 0) return { text: '', failed: false, end: start };
  const end = start + length + 2;
  if (bytes.length < end) return undefined;
  return { text: bytes.toString('utf8', start, start + length), failed: false, end };
}

function parseArray(bytes: Buffer, start: number, length: number): Reply | undefined {
  const lines: string[] = [];
  let end = start;
  for (let i = 0; i < length; i += 1) {
    const element = parse(bytes, end);
    if (element === undefined) return undefined;
    lines.push(element.text);
    end = element.end;
  }
  return { text: lines.join('\n'), failed: false, end };
}
