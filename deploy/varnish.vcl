# Varnish as the edge of two replicas. This file replaces /etc/varnish/default.vcl. It needs `-p pipe_timeout=60` and
# `-p thread_pool_max=10000`: see docs/proxies.md.
vcl 4.1;

import directors;
import std;

# Checked each second, so that a dead replica gets no streams: Varnish does not try the other replica when a connection cannot
# be made. The probe does not use /readyz, because it is on another port, which Varnish would treat as another backend.
probe alive {
	.url = "/openapi.json";
	.interval = 1s;
	.timeout = 2s;
	.window = 1;
	.threshold = 1;
	# Until the first answer, a replica counts as healthy. Otherwise clients right after the start would be refused.
	.initial = 1;
}

backend sluice_1 {
	.host = "sluice-1";
	.port = "3000";
	.probe = alive;
	.connect_timeout = 1s;
	# How long a connection may be silent: four heartbeats of 15 s. For streams, pipe_timeout applies instead.
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
	# Replaces the value that the client sent.
	set req.http.X-Forwarded-For = client.ip;
	set req.backend_hint = replicas.backend();
	# /events/<channel> and /events?channel=…
	if (req.url ~ "^/events([/?]|$)") {
		# A browser that gets a 503 never comes back. Without a replica, this answer asks it to come back in 5 to 15 s.
		if (!std.healthy(req.backend_hint)) {
			return (synth(200, "come back"));
		}
		# `pipe` instead of `hash` or `pass`: with these, the replica would notice only at its next heartbeat that a client has
		# left, and clients of one URL would wait for each other's response heads.
		# Varnish sends `Connection: close`, so the connection ends with its stream.
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
		# Repeats the client's cursor: some clients lose their cursor when an event has no id.
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
	# Answers of Varnish itself. A 503 of a replica passes unchanged.
	set beresp.status = 503;
	set beresp.http.Content-Type = "application/problem+json";
	set beresp.http.Retry-After = "2";
	set beresp.body = """{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"No replica can be reached. Try again with the same Idempotency-Key."}""";
	return (deliver);
}
