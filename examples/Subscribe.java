// Prints the events of a channel, each once and in order, and reconnects by itself:
//
//   java examples/Subscribe.java <channel> [<last event id>]
import java.io.*;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;

public class Subscribe {
    static final long LONGEST_WAIT = 30_000;
    // Passing failures: too many requests, or a proxy found no broker. Any other refusal would come again.
    static final Set<Integer> PASSING = Set.of(408, 425, 429, 500, 502, 503, 504);
    // Three heartbeats of the broker (SLUICE_HEARTBEAT). A connection without a byte for this long is lost.
    static final long SILENCE = (long) (1_000 * Double.parseDouble(env("SLUICE_SILENCE", "45")));
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    final HttpClient client = HttpClient.newHttpClient();
    final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    final URI uri;
    String lastId;
    long retry = 2_000;
    int failures = 0;
    boolean ended = false;
    volatile long heard;

    Subscribe(String channel, String lastId) {
        this.uri = URI.create(env("SLUICE_URL", "http://localhost:3000") + "/events/"
            + URLEncoder.encode(channel, StandardCharsets.UTF_8).replace("+", "%20"));
        this.lastId = lastId;
    }

    /** Called for each connection. An application can replace an expired token here. */
    String token() {
        return env("SLUICE_TOKEN", "");
    }

    void onEvent(String id, String event, String data) {
        OUT.printf("{\"id\":%s,\"event\":%s,\"data\":%s}%n", quoted(id), quoted(event), quoted(data));
    }

    /** Events may be missing here. An application loads its state again, and then handles the events that follow. */
    void onGap(String json) {
        OUT.printf("{\"gap\":%s}%n", json);
    }

    /** Returns null when the channel has ended, and the reason after a refusal that would come again. */
    String run() throws InterruptedException {
        for (;; failures = Math.min(failures + 1, 10)) {
            String problem = "the stream ended";
            long retryAfter = 0;
            try {
                HttpResponse<InputStream> response = connect();
                int status = response.statusCode();
                if (status == 204) return null;
                if (status == 200) {
                    read(response.body());
                    if (ended) return null;
                } else {
                    problem = status + ": " + new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
                    if (!PASSING.contains(status)) return problem;
                    retryAfter = response.headers().firstValueAsLong("retry-after").orElse(0) * 1_000;
                }
            } catch (IOException | ExecutionException | TimeoutException error) {
                problem = "the connection is lost: " + error;
            }
            // The broker gives each subscriber its own retry time. Each failed attempt doubles the wait.
            long longer = Math.min(retry << failures, LONGEST_WAIT);
            longer -= (long) (longer / 2 * Math.random());
            long wait = Math.max(retry, Math.max(longer, retryAfter));
            System.err.printf("%s; reconnecting in %.1f s%n", problem, wait / 1_000.0);
            Thread.sleep(wait);
        }
    }

    HttpResponse<InputStream> connect() throws InterruptedException, ExecutionException, TimeoutException {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).header("Accept", "text/event-stream");
        if (!token().isEmpty()) request.header("Authorization", "Bearer " + token());
        if (lastId != null) request.header("Last-Event-ID", lastId);
        var answer = client.sendAsync(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        try {
            return answer.get(SILENCE, TimeUnit.MILLISECONDS);
        } finally {
            answer.cancel(true); // has no effect after the answer has arrived
        }
    }

    void read(InputStream body) throws IOException {
        heard = System.nanoTime();
        // The client has no read time-out for a body, so a timer closes a silent body.
        var watch = clock.scheduleWithFixedDelay(() -> {
            if (System.nanoTime() - heard > SILENCE * 1_000_000) close(body);
        }, SILENCE / 4, SILENCE / 4, TimeUnit.MILLISECONDS);
        try (var lines = new BufferedReader(new InputStreamReader(new Heard(body), StandardCharsets.UTF_8))) {
            String id = lastId, event = "message";
            List<String> data = new ArrayList<>();
            for (String line; (line = lines.readLine()) != null;) {
                String[] parts = line.split(": ?", 2);
                String value = parts.length > 1 ? parts[1] : "";
                if (line.isEmpty()) {
                    if (!data.isEmpty()) dispatch(id, event, String.join("\n", data));
                    // Set only here: an incomplete event, or one that could not be handled, has to come again.
                    lastId = id;
                    event = "message";
                    data.clear();
                } else if (parts[0].equals("id")) id = value;
                else if (parts[0].equals("event")) event = value;
                else if (parts[0].equals("data")) data.add(value);
                else if (parts[0].equals("retry") && value.matches("\\d{1,9}")) retry = Long.parseLong(value);
            }
        } finally {
            watch.cancel(false);
        }
    }

    void dispatch(String id, String event, String data) {
        if (event.equals("sluice:closing")) {
            System.err.println("the broker asks the client to come back: " + data);
            return;
        }
        failures = 0;
        if (event.equals("sluice:end")) ended = true;
        if (event.equals("sluice:gap")) onGap(data);
        else if (!event.startsWith("sluice:")) onEvent(id, event, data);
    }

    /** Records the time of each read. */
    class Heard extends FilterInputStream {
        Heard(InputStream body) {
            super(body);
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int count = super.read(bytes, offset, length);
            heard = System.nanoTime();
            return count;
        }
    }

    static void close(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException ignored) {
            // The body is already closed.
        }
    }

    static String env(String name, String otherwise) {
        return Objects.requireNonNullElse(System.getenv(name), otherwise);
    }

    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') json.append('\\').append(c);
            else if (c < ' ') json.append(String.format("\\u%04x", (int) c));
            else json.append(c);
        }
        return json.append('"').toString();
    }

    public static void main(String[] args) throws InterruptedException {
        if (args.length == 0) {
            System.err.println("usage: Subscribe <channel> [<last event id>]");
            System.exit(2);
        }
        String refusal = new Subscribe(args[0], args.length > 1 ? args[1] : null).run();
        if (refusal != null) System.err.println("refused, " + refusal);
        System.exit(refusal == null ? 0 : 1);
    }
}
