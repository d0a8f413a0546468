import type { CommandGroup } from '../program.ts';
import { healthcheckCommand } from './healthcheck.ts';
import { historyCommand } from './history.ts';
import { publishCommand } from './publish.ts';
import { serveCommand } from './serve.ts';
import { subscribeCommand } from './subscribe.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandGroup[] = [
  { heading: 'The broker:', commands: [serveCommand, healthcheckCommand] },
  { heading: 'Events:', commands: [publishCommand, subscribeCommand, historyCommand] },
  { heading: 'Looking in:', commands: [] },
  { heading: 'Managing:', commands: [] },
  { heading: 'Tools:', commands: [] },
];
