# Varnish as the edge of two replicas. It stands for /etc/varnish/default.vcl, and wants `-p pipe_timeout=60` and
# `-p thread_pool_max=10000`: see docs/proxies.md.
vcl 4.1;

import directors;
import std;

# Asked each second, so that one that is gone gets no streams: a connection that cannot be made is not tried with the other
# replica. Health is on another port of a replica, which Varnish would ask for as a backend of its own.
probe alive {
	.url = "/openapi.json";
	.interval = 1s;
	.timeout = 2s;
	.window = 1;
	.threshold = 1;
	# Until the first answer a replica counts as one that is there: else whoever came right after the start were sent away.
	.initial = 1;
}

backend sluice_1 {
	.host = "sluice-1";
	.port = "3000";
	.probe = alive;
	.connect_timeout = 1s;
	# Without a byte, that is: four heartbeats of 15 s. For streams it is pipe_timeout that counts.
	.first_byte_timeout = 60s;
	.between_bytes_timeout = 60s;
}

backend sluice_2 {
	.host = "sluice-2";
	.port = "3000";
	.probe = alive;
	.connect_timeout = 1s;
	.first_byte_timeout = 60s;
	.between_bytes_timeout = 60s;
}

sub vcl_init {
	new replicas = directors.round_robin();
	replicas.add_backend(sluice_1);
	replicas.add_backend(sluice_2);
}

sub vcl_recv {
	# Set and not added to: what a client says about itself is not passed on.
	set req.http.X-Forwarded-For = client.ip;
	set req.backend_hint = replicas.backend();
	if (req.url ~ "^/events/") {
		# A browser that gets a 503 never comes back: without a replica it is asked to, in 5 to 15 s.
		if (!std.healthy(req.backend_hint)) {
			return (synth(200, "come back"));
		}
		# Not `hash`, nor `pass`: the replica would hear only with its next heartbeat that a reader has left, and readers of one
		# URL would wait for each other's heads.
		# Varnish asks for the end of the connection with the stream's (`Connection: close`), so nothing else follows it there.
		return (pipe);
	}
	return (pass);
}

sub vcl_synth {
	if (resp.reason == "come back") {
		set resp.reason = "OK";
		set resp.http.Content-Type = "text/event-stream; charset=utf-8";
		set resp.http.Cache-Control = "no-store";
		set resp.http.Access-Control-Allow-Credentials = "true";
		if (req.http.Origin) {
			set resp.http.Access-Control-Allow-Origin = req.http.Origin;
		}
		set resp.http.Retry = std.integer(real=std.random(5000, 15000));
		# With the id where the reader stands: some clients forget it when an event has none.
		if (req.http.Last-Event-ID ~ ".") {
			set resp.body = "retry: " + resp.http.Retry + """
id: """ + req.http.Last-Event-ID + """
event: sluice:closing
data: {"reason":"unavailable","retry":""" + resp.http.Retry + """}

""";
		} else {
			set resp.body = "retry: " + resp.http.Retry + """
event: sluice:closing
data: {"reason":"unavailable","retry":""" + resp.http.Retry + """}

""";
		}
		unset resp.http.Retry;
		return (deliver);
	}
}

sub vcl_backend_error {
	# What Varnish says itself; a replica's own 503 passes as it is.
	set beresp.status = 503;
	set beresp.http.Content-Type = "application/problem+json";
	set beresp.http.Retry-After = "2";
	set beresp.body = """{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"No replica can be reached. Try again with the same Idempotency-Key."}""";
	return (deliver);
}
