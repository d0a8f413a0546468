/** Builds an HTTP/2 frame (RFC 9113 §4.1) by hand, to send what no client library sends. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The first bytes of a client: the preface and empty settings (RFC 9113 §3.4). */
export const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);

export const PING = frame(6, 0, 0, Buffer.alloc(8));

/** A head that never ends: HEADERS without END_HEADERS, to be followed by `CONTINUATION` frames. */
export const HALF_HEAD = frame(1, 0, 1, Buffer.from([0x82, 0x87, 0x84]));

/** The head of a POST with a body to follow; the fields are not compressed (RFC 7541 §6.2.2). */
export function postHead(stream: number, path: string, fields: Readonly<Record<string, string>>): Buffer {
  const block = [Buffer.from([0x83, 0x87, 0x01]), literal('broker'), Buffer.from([0x04]), literal(path)];
  for (const [name, value] of Object.entries(fields))
    block.push(Buffer.from([0]), literal(name), literal(value));
  return frame(1, 0x4, stream, Buffer.concat(block));
}

function literal(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

/** A DATA frame without END_STREAM. */
export function data(stream: number, text: string): Buffer {
  return frame(0, 0, stream, Buffer.from(text));
}

/** A RST_STREAM frame. */
export function reset(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(3, 0, stream, payload);
}
