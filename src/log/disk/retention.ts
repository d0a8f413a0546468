/*
 * Retention without eras: two columns of `channels` replace the tables `touched` and `eras`.
 *
 * - `oldest_at`: the log clock (ms) at which the channel's oldest stored event was appended, or earlier; NULL without events.
 *   ChannelTable writes it with the row when a channel without events gets its first event (`= at` of this event), and sets NULL when
 *   the last event is dropped. An append to a channel with events writes nothing. It may be too old (after events were dropped by
 *   size): retention puts it right when it comes to the channel.
 * - `idle_since`: the log clock at which the channel lost its last event; NULL with events.
 *
 * Indexes:
 *   CREATE INDEX channels_oldest ON channels(ttl, oldest_at) WHERE oldest_at IS NOT NULL;
 *   CREATE INDEX channels_idle ON channels(idle_since) WHERE idle_since IS NOT NULL;
 *
 * Expiry takes for each distinct ttl the channels with the smallest `oldest_at`; eviction takes the smallest of all. A changed
 * policy writes the row, so the order is right at once.
 *
 * Events: make `events` a table with a rowid, `id INTEGER PRIMARY KEY` = (channel << 32) | ordinal, and not WITHOUT ROWID. Measured
 * with 200 channels, bytes on disk for an event and microseconds for an insert: 1,200-byte records take 4,683 bytes and 73 us WITHOUT
 * ROWID (its pages keep at most 1,002 bytes of a row, so each event gets an overflow page of its own), and 1,379 bytes and 32 us with
 * a rowid; 10 KB: 12,927 and 160 against 10,286 and 91; 100 bytes: no difference. `(?<<32)|?` in SQL needs no BigInt.
 */
export {};
