#!/bin/sh
# Publishes one event exactly once, even when an answer is lost:
#
#   SLUICE_KEY=$(cat .publish-key) examples/publish.sh <channel> <data> [<event>]
#
# With SLUICE_CLOSE=true the event is the last one of its channel.
set -eu

url=${SLUICE_URL:-http://localhost:3000}
key=${SLUICE_KEY:?is not set; use the publish key in .publish-key, or one of SLUICE_PUBLISH_KEYS}
usage='is missing; usage: publish.sh <channel> <data> [<event>]'
channel=${1:?$usage} data=${2?$usage} query=${3:+&event=$3}${SLUICE_CLOSE:+&close=true}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# curl repeats a request with the same Idempotency-Key: after a 503, or without an answer, the event may have been
# published. curl does not repeat any other refusal, because without --fail it is no error to curl.
status=$(curl -sS -o "$answer" -w '%{http_code}' --max-time 5 --retry 10 --retry-max-time 60 --retry-all-errors \
  -H "Authorization: Bearer $key" -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
  --data-raw "$data" "$url/publish/$channel${query:+?${query#&}}")

if [ "$status" != 200 ]; then
  echo "not published, $status: $(cat "$answer")" >&2
  exit 1
fi
cat "$answer"
echo
