import type { CommandGroup } from '../program.ts';
import { healthcheckCommand } from './healthcheck.ts';
import { historyCommand } from './history.ts';
import { serveCommand } from './serve.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandGroup[] = [
  { heading: 'The broker:', commands: [serveCommand, healthcheckCommand] },
  { heading: 'Events:', commands: [historyCommand] },
  { heading: 'Looking in:', commands: [] },
  { heading: 'Managing:', commands: [] },
  { heading: 'Tools:', commands: [] },
];
