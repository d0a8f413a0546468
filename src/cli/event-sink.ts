import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { eventLine } from './event-line.ts';
import type { ShownEvent } from './event-line.ts';

export interface SinkOptions {
  readonly json: boolean;
  /** The data alone. */
  readonly raw: boolean;
  /** A command of the shell that gets each event instead of stdout. */
  readonly exec: string | undefined;
  /** Whether a command that fails is only reported. */
  readonly keepGoing: boolean;
  readonly withChannel: boolean;
}

/** Takes an event. Resolves when it takes the next one. */
export type EventSink = (event: ShownEvent) => Promise<void>;

export function eventSink(context: CliContext, options: SinkOptions): EventSink {
  const { stdout } = context;
  const { json, raw, exec, withChannel } = options;
  if (exec !== undefined) return (event) => run(context, exec, event, options);
  if (json) return (event) => stdout.json(event);
  if (raw) return ({ data }) => stdout.line(stdout.foreign(data, { lines: true }));
  return (event) => stdout.write(eventLine(stdout, event, { withChannel }));
}

/** Runs the command with the event on its stdin, and waits for its end. */
async function run(
  { env, stderr, signal }: CliContext,
  command: string,
  event: ShownEvent,
  { json, keepGoing }: SinkOptions,
): Promise<void> {
  const child = spawn(command, {
    shell: true,
    stdio: ['pipe', 'inherit', 'inherit'],
    env: {
      ...env,
      SLUICE_CHANNEL: event.channel,
      SLUICE_ID: event.id,
      SLUICE_EVENT: event.event ?? 'message',
    },
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdin.end(json ? `${JSON.stringify(event)}\n` : event.data);
  const [[code, by]] = await Promise.all([
    exited,
    // A command need not read its stdin.
    finished(child.stdin).catch(() => undefined),
  ]);
  if (code === 0) return;
  // Ctrl-C reaches the command, too, and Node may notice the end of the command first.
  await nextTurn();
  // The event was not done. So it does not count, and the command gets it again with the --after of the summary.
  if (signal.aborted) throw signal.reason;
  const message = `The command failed (${by ?? `exit code ${code}`}) at the event ${event.id} of ${event.channel}.`;
  if (!keepGoing) throw new CliError(message);
  await stderr.line(message);
}
