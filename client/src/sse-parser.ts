/** The longest event that is kept in memory, in characters. */
const MAX_EVENT_LENGTH = 20_000_000;

/**
 * Reads the Server-Sent Events of a broker, which ends every line with LF and sends valid ids and times (docs/protocol.md
 * §3). Returns a function that takes the next bytes; it throws when an event is longer than 20 million characters.
 * @param onEvent gets the newest id of the stream, and an empty type for an event without one
 * @param onRetry gets reconnection times, in ms
 */
export function parseEvents(
  onEvent: (id: string, type: string, data: string) => void,
  onRetry: (ms: number) => void,
): (bytes: Uint8Array) => void {
  // Drops a byte order mark at the start.
  const decoder = new TextDecoder();
  let id = '';
  let type = '';
  let data = '';
  /** The line that has not arrived completely. */
  let rest = '';
  return (bytes) => {
    const lines = decoder.decode(bytes, { stream: true }).split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop() as string;
    for (const line of lines) {
      const [, field, value] = /^([^:]*):? ?([^]*)/.exec(line) as unknown as [string, string, string];
      if (!line) {
        if (data) onEvent(id, type, data.slice(0, -1));
        data = type = '';
      } else if (field === 'data') data += `${value}\n`;
      else if (field === 'event') type = value;
      else if (field === 'id') id = value;
      else if (field === 'retry') onRetry(Number(value));
    }
    if (rest.length + data.length > MAX_EVENT_LENGTH) throw new Error('too long');
  };
}
