import type { CliOutput } from './context.ts';
import { readableTime, timeOfId } from './readable-values.ts';

/** An event as the command line prints it. */
export interface ShownEvent {
  readonly channel: string;
  readonly id: string;
  readonly event?: string;
  readonly key?: string;
  readonly data: string;
}

/** The lines of an event: when, which channel if there are several, its type, its data. */
export function eventLine(output: CliOutput, event: ShownEvent, { withChannel = false } = {}): string {
  const time = timeOfId(event.id);
  const parts = [
    output.style(
      'dim',
      output.isTerminal && time !== undefined ? readableTime(time) : output.foreign(event.id),
    ),
    ...(withChannel ? [output.style('cyan', event.channel)] : []),
    ...(event.event === undefined ? [] : [output.style('yellow', output.foreign(event.event))]),
    ...(event.key === undefined ? [] : [output.style('magenta', output.foreign(event.key))]),
  ];
  const text = output.foreign(event.data, { lines: true });
  // The further lines of the data are indented, so that none of them looks like an event of its own.
  return `${parts.join('  ')}  ${text.replaceAll('\n', '\n    ')}\n`;
}
