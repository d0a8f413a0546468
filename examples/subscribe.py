#!/usr/bin/env python3
"""Prints the events of a channel, each once and in order, and reconnects by itself:

python3 examples/subscribe.py <channel> [<last event id>]
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("SLUICE_URL", "http://localhost:3000")
# Three heartbeats of the broker (SLUICE_HEARTBEAT). A connection without a byte for this long is lost.
SILENCE = float(os.environ.get("SLUICE_SILENCE", "45"))
LONGEST_WAIT = 30.0
# Passing failures: too many requests, or a proxy found no broker. Any other refusal would come again.
PASSING = {408, 425, 429, 500, 502, 503, 504}


class Refused(Exception):
    pass


class NotHandled(Exception):
    """Wraps an error of the application, as its cause."""


def token():
    """Called for each connection. An application can replace an expired token here."""
    return os.environ.get("SLUICE_TOKEN")


class Subscriber:
    def __init__(self, channel, on_event, on_gap, last_id=None):
        self.url = f"{URL}/events/{urllib.parse.quote(channel)}"
        self.on_event, self.on_gap = on_event, on_gap
        self.last_id = last_id
        self.retry = 2.0
        self.failures = 0
        self.ended = False

    def run(self):
        """Returns when the channel has ended. Raises Refused after a refusal that would come again."""
        while True:
            retry_after = 0.0
            try:
                with self.connect() as response:
                    if response.status == 204:
                        return
                    self.read(response)
                if self.ended:
                    return
                problem = "the stream ended"
            except urllib.error.HTTPError as error:
                problem = f"{error.code}: {error.read().decode(errors='replace')}"
                if error.code not in PASSING:
                    raise Refused(problem) from error
                retry_after = float(error.headers.get("Retry-After", 0))
            except (OSError, http.client.HTTPException) as error:
                problem = f"the connection is lost: {error}"
            # The broker gives each subscriber its own retry time. Each failed attempt doubles the wait.
            longer = min(self.retry * 2**self.failures, LONGEST_WAIT) * random.uniform(0.5, 1)
            wait = max(self.retry, longer, retry_after)
            self.failures = min(self.failures + 1, 10)
            print(f"{problem}; reconnecting in {wait:.1f} s", file=sys.stderr)
            time.sleep(wait)

    def connect(self):
        headers = {"Accept": "text/event-stream"}
        if token():
            headers["Authorization"] = f"Bearer {token()}"
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        return urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=SILENCE)

    def read(self, response):
        event, data, event_id = "message", [], self.last_id
        # Splits bytes, not str: str lines would also end at characters such as U+2028, which data may contain.
        for line in response:
            if not line.endswith(b"\n"):
                return  # The connection was cut within a line. The whole event comes again.
            name, _, value = line.rstrip(b"\r\n").decode().partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                event_id = value
            elif name == "retry" and value.isdecimal():
                self.retry = int(value) / 1000
            elif line.strip() == b"":
                if data:
                    self.dispatch(event, "\n".join(data), event_id)
                # Set only here: an incomplete event, or one that could not be handled, has to come again.
                self.last_id = event_id
                event, data = "message", []

    def dispatch(self, event, data, event_id):
        if event == "sluice:closing":
            print(f"the broker asks the client to come back: {data}", file=sys.stderr)
            return
        self.failures = 0
        if event == "sluice:end":
            self.ended = True
        try:
            if event == "sluice:gap":
                self.on_gap(json.loads(data))
            elif not event.startswith("sluice:"):
                self.on_event(event, data, event_id)
        except Exception as error:
            raise NotHandled(f"{event} could not be handled") from error


def show(event, data, event_id):
    print(json.dumps({"id": event_id, "event": event, "data": data}), flush=True)


def show_gap(gap):
    # Events may be missing here. An application loads its state again, and then handles the events that follow.
    print(json.dumps({"gap": gap}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: subscribe.py <channel> [<last event id>]", file=sys.stderr)
        sys.exit(2)
    try:
        Subscriber(sys.argv[1], show, show_gap, *sys.argv[2:3]).run()
    except Refused as error:
        sys.exit(f"refused, {error}")
    except KeyboardInterrupt:
        pass
