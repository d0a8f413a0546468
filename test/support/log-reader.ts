import type { JsonPage } from './changing-reader.ts';
import { Recorder } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';

/**
 * Everything that the log has of a channel, read over HTTP from its beginning, for the checker. Records no gap: nothing may be
 * missing, whether the log says so or not.
 */
export class LogReader extends Recorder implements ResumingReader {
  readonly name: string;
  readonly connections = 1;

  private constructor(channel: string) {
    super();
    this.name = `the log of ${channel}`;
    this.record('sluice:ready', '0-0', '');
  }

  static async read(url: string, channel: string): Promise<LogReader> {
    const reader = new LogReader(channel);
    for (let after = '0-0'; ;) {
      const answer = await fetch(`${url}/channels/${channel}/events?after=${after}&limit=10000`);
      const { events, next } = (await answer.json()) as JsonPage;
      for (const { id, event = 'message', data } of events) reader.record(event, id, data);
      if (events.length === 0) return reader;
      after = next;
    }
  }

  close(): void {
    // It has no connection.
  }
}
