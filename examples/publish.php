<?php
// Publishes one event exactly once, even when an answer is lost:
//
//   SLUICE_KEY=$(cat .publish-key) php examples/publish.php <channel> <data> [<event>]
//
// With SLUICE_CLOSE=true the event is the last one of its channel.
declare(strict_types=1);

const ATTEMPTS = 10;
// Passing failures: too many publishes, the log is down, or a proxy found no broker.
const PASSING = [429, 502, 503, 504];

/**
 * Returns the event's channel and id once the event is in the log.
 *
 * @return array{channel: string, id: string}
 */
function publish(string $channel, mixed $data, ?string $event = null): array
{
    $body = ['channel' => $channel, 'data' => $data] + ($event === null ? [] : ['event' => $event])
        + (getenv('SLUICE_CLOSE') ? ['close' => true] : []);
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Authorization: Bearer ' . getenv('SLUICE_KEY'),
            'Content-Type: application/json',
            // Every attempt has the same key: after a 503, or without an answer, the event may have been published.
            'Idempotency-Key: ' . bin2hex(random_bytes(16)),
        ],
        'content' => json_encode($body, JSON_THROW_ON_ERROR),
        'timeout' => 5,
        'ignore_errors' => true,
    ]]);
    $url = (getenv('SLUICE_URL') ?: 'http://localhost:3000') . '/publish';
    for ($attempt = 1; ; $attempt++) {
        [$status, $retryAfter, $text] = post($url, $context);
        if ($status === 200) {
            return json_decode($text, true, flags: JSON_THROW_ON_ERROR);
        }
        $passing = $status === 0 || in_array($status, PASSING, true);
        if (!$passing || $attempt === ATTEMPTS) {
            throw new RuntimeException("not published, $status: $text");
        }
        $backoff = random_int(0, min(100 * 2 ** $attempt, 10_000));
        usleep(1_000 * max($retryAfter * 1_000, $backoff));
    }
}

/**
 * @param resource $context
 * @return array{int, int, string} the status, or 0 without an answer; Retry-After in seconds; the body
 */
function post(string $url, $context): array
{
    $stream = @fopen($url, 'r', false, $context);
    if ($stream === false) {
        return [0, 0, error_get_last()['message'] ?? 'no answer'];
    }
    $head = stream_get_meta_data($stream)['wrapper_data'];
    $text = (string) stream_get_contents($stream);
    fclose($stream);
    $status = (int) explode(' ', $head[0])[1];
    $retryAfter = preg_grep('/^Retry-After: /i', $head);
    return [$status, (int) substr(reset($retryAfter) ?: '', strlen('Retry-After: ')), $text];
}

if (!getenv('SLUICE_KEY') || $argc < 3) {
    fwrite(STDERR, "usage: SLUICE_KEY=<a publish key> php publish.php <channel> <data> [<event>]\n");
    exit(2);
}
try {
    echo json_encode(publish(...array_slice($argv, 1))), "\n";
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
