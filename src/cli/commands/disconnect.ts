import { Command } from 'commander';
import { fieldsOf, numberIn, objectsIn } from '../answer-fields.ts';
import { BrokerApi } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';
import { counted } from '../readable-values.ts';

interface DisconnectOptions extends AccessOptions {
  readonly channel?: string;
  readonly sub?: string;
  readonly revoke?: boolean;
  readonly json?: boolean;
}

/** `sluice disconnect`: ends streams on every replica. */
export function disconnectCommand(context: CliContext): Command {
  const command = new Command('disconnect')
    .summary('end streams, and revoke tokens')
    .description(
      'Ends the streams of a channel, of a subject, or of a subject on a channel, on every replica. Browsers come back by themselves, unless their tokens are revoked.',
    )
    .option('--channel <channel>', 'streams of this channel')
    .option('--sub <sub>', 'streams of tokens with this subject')
    .option('--revoke', 'also refuse these tokens from now on')
    .option('--json', 'print the answer of the broker as JSON')
    .action((options: DisconnectOptions) => disconnect(options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['a user who has logged out: end the streams, and refuse the tokens', 'sluice disconnect --sub user-7 --revoke'],
    ['everybody on a channel', 'sluice disconnect --channel orders.42'],
  ]);
}

async function disconnect(
  { channel, sub, revoke, json = false, ...access }: DisconnectOptions,
  context: CliContext,
): Promise<void> {
  const { stdout, stderr, signal } = context;
  if (channel === undefined && sub === undefined)
    throw new CliError('Say whose streams to end: --channel, --sub, or both.', 2);
  const api = new BrokerApi(brokerAccess(access, context), signal);
  const request = { method: 'POST', path: '/disconnect', json: { channel, sub, revoke }, as: 'publisher' } as const;
  const answer = fieldsOf(await api.json(request));
  if (json) await stdout.json(answer);
  else {
    const streams = counted(numberIn(answer, 'disconnected'), 'stream');
    const replicas = counted(objectsIn(answer, 'replicas').length, 'replica');
    await stdout.line(`${streams} on ${replicas} ended${revoke === true ? ', and the tokens are revoked' : ''}`);
  }
  if (answer['complete'] === false)
    await stderr.line('Not every replica has answered. It may still have ended its streams; it is safe to repeat this.');
}
