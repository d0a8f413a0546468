#!/bin/sh
# Publishes the time every second, each time once, whatever happens on the way. Run it where .publish-key is, or with
# SLUICE_KEY set.
set -eu

url=${SLUICE_URL:-http://localhost:3000}
key=${SLUICE_KEY:-$(cat .publish-key)}

while :; do
  # curl sends a request again as it was, so with the same Idempotency-Key: a 503, or an answer that never came, may mean
  # that the event was published.
  curl -sS --fail-with-body --max-time 60 --retry 10 --retry-connrefused \
    -H "Authorization: Bearer $key" -H "Idempotency-Key: $(date +%s)-$$" \
    -d "It is $(date +%T)." "$url/publish/news"
  echo
  sleep 1
done
