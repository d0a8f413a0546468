import { runExample } from './running-example.ts';
import type { RunningExample } from './running-example.ts';

/** Where a started example is. `npm run example` prints this as JSON each time the broker is ready. */
interface ExamplePlace {
  readonly page: string;
  readonly broker: string;
  readonly key: string;
  /** Undefined for a broker that was running already. */
  readonly brokerPid?: number;
}

/** An example that its command has started; `kill('SIGTERM')` ends it. */
export interface StartedExample extends ExamplePlace {
  readonly example: RunningExample;
  /** Kills the broker, and waits until the example has started it again. */
  readonly restartBroker: () => Promise<void>;
  /** How many streams have the channel. */
  readonly subscribers: (channel: string) => Promise<number>;
}

/** Runs the line of an example's README, `npm run example <name>`, on free ports, and waits until the page is there. */
export async function startExample(
  line: string,
  env: Readonly<Record<string, string>> = {},
): Promise<StartedExample> {
  const settings = { PORT: '0', EXAMPLE_OUTPUT: 'json', SLUICE_RETRY: '500ms', ...env };
  const example = runExample(['bash', '-c', line.replace('npm run', 'exec npm run --silent')], settings);
  const place = (await example.next()) as ExamplePlace;
  let { brokerPid } = place;
  return {
    ...place,
    example,
    restartBroker: async () => {
      if (brokerPid === undefined) throw new Error('The example has not started its broker.');
      process.kill(brokerPid, 'SIGKILL');
      ({ brokerPid } = (await example.next()) as ExamplePlace);
    },
    subscribers: async (channel) => {
      const headers = { authorization: `Bearer ${place.key}` };
      const response = await fetch(`${place.broker}/channels/${channel}`, { headers });
      return ((await response.json()) as { subscribers: number }).subscribers;
    },
  };
}
