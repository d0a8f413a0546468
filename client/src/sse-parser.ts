/** The longest event that is kept in memory, in characters. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024;

/**
 * Reads Server-Sent Events as the HTML standard says. Returns a function that takes the next bytes; it throws when an event
 * is longer than 16 Mi characters.
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
  let afterReturn = false;
  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    // A CR has ended the line before. An LF right behind it belongs to it.
    const lines = (afterReturn && text[0] === '\n' ? text.slice(1) : text).split(/\r\n|\r|\n/);
    if (text) afterReturn = text.endsWith('\r');
    lines[0] = rest + lines[0];
    rest = lines.pop() as string;
    for (const line of lines) {
      const [, field, value = ''] = /^([^:]*):? ?([^]*)/.exec(line) as RegExpExecArray;
      if (!line) {
        if (data) onEvent(id, type, data.slice(0, -1));
        data = type = '';
      } else if (field === 'data') data += `${value}\n`;
      else if (field === 'event') type = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
      else if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value));
    }
    if (rest.length + data.length > MAX_EVENT_LENGTH) throw new Error('too long');
  };
}
