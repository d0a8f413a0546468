import type { CommandGroup } from '../program.ts';
import { benchCommand } from './bench.ts';
import { channelCommand, channelsCommand } from './channels.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { deleteCommand } from './delete.ts';
import { disconnectCommand } from './disconnect.ts';
import { healthcheckCommand } from './healthcheck.ts';
import { historyCommand } from './history.ts';
import { publishCommand } from './publish.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { subscribeCommand } from './subscribe.ts';
import { tokenCommand } from './token.ts';
import { topCommand } from './top.ts';
import { whoCommand } from './who.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandGroup[] = [
  { heading: 'The broker:', commands: [serveCommand, healthcheckCommand] },
  { heading: 'Events:', commands: [publishCommand, subscribeCommand, historyCommand] },
  {
    heading: 'Looking in:',
    commands: [statusCommand, channelsCommand, channelCommand, topCommand, whoCommand],
  },
  { heading: 'Managing:', commands: [tokenCommand, deleteCommand, disconnectCommand] },
  { heading: 'Tools:', commands: [checkCommand, benchCommand, completionCommand] },
];
