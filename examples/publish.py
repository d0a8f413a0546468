#!/usr/bin/env python3
"""Publishes one event exactly once, even when an answer is lost:

SLUICE_KEY=$(cat .publish-key) python3 examples/publish.py <channel> <data> [<event>]

With SLUICE_CLOSE=true the event is the last one of its channel.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("SLUICE_URL", "http://localhost:3000")
ATTEMPTS = 10
# Passing failures: too many publishes, the log is down, or a proxy found no broker.
PASSING = {429, 502, 503, 504}


class NotPublished(Exception):
    pass


def publish(channel, data, event=None, close=False):
    """Returns the event's channel and id once the event is in the log."""
    body = {"channel": channel, "data": data}
    if event is not None:
        body["event"] = event
    if close:
        body["close"] = True
    request = urllib.request.Request(
        f"{URL}/publish",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['SLUICE_KEY']}",
            "Content-Type": "application/json",
            # Every attempt has the same key: after a 503, or without an answer, the event may have been published.
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    for attempt in range(1, ATTEMPTS + 1):
        retry_after = 0.0
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = f"{error.code}: {error.read().decode(errors='replace')}"
            if error.code not in PASSING:
                raise NotPublished(problem) from error
            retry_after = float(error.headers.get("Retry-After", 0))
        except (OSError, http.client.HTTPException) as error:
            problem = f"no answer: {error}"
        if attempt < ATTEMPTS:
            time.sleep(max(retry_after, random.uniform(0, min(0.1 * 2**attempt, 10))))
    raise NotPublished(problem)


if __name__ == "__main__":
    if not os.environ.get("SLUICE_KEY") or len(sys.argv) not in (3, 4):
        print("usage: SLUICE_KEY=<a publish key> publish.py <channel> <data> [<event>]", file=sys.stderr)
        sys.exit(2)
    try:
        close = bool(os.environ.get("SLUICE_CLOSE"))
        print(json.dumps(publish(*sys.argv[1:], close=close)))
    except NotPublished as error:
        sys.exit(f"not published, {error}")
