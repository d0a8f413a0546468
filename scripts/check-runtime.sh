#!/bin/sh
# Runs after `npm ci` or `npm install`: makes sure that npm scripts find a Node that starts. Prints nothing when all is well.
#
# npm pins the runtime (the node-* optional dependencies), and puts it before the machine's own Node in the PATH of npm
# scripts. The pinned binary needs libatomic1, which slim Debian and Ubuntu systems lack. If it cannot start, no npm script
# works, even when the machine's own Node would do.
set -eu

cd "$(dirname "$0")/.."
pinned=node_modules/.bin/node
oldest=24

say() { printf 'sluice: %s\n' "$1" >&2; }

pinned_starts() { "$pinned" --version >/dev/null 2>&1; }

# The Node that runs npm. `command -v` finds one when the script was started by hand.
own=${npm_node_execpath:-$(command -v node || true)}

own_is_enough() {
  [ -n "$own" ] || return 1
  major=$("$own" -p 'process.versions.node.split(".")[0]' 2>/dev/null) || return 1
  [ "$major" -ge "$oldest" ]
}

if pinned_starts; then exit 0; fi

if [ ! -e "$pinned" ] && [ ! -L "$pinned" ]; then
  # Optional dependencies were left out, or the platform has no pinned runtime.
  if own_is_enough; then exit 0; fi
  say "there is no pinned Node, and the machine's own is older than $oldest. Install Node $oldest or newer, or run npm ci without --omit=optional."
  exit 1
fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  say "the pinned Node needs libatomic1 to start: installing libatomic1 with apt-get."
  export DEBIAN_FRONTEND=noninteractive
  if log=$({ apt-get update -qq && apt-get install -y -qq --no-install-recommends libatomic1; } 2>&1); then
    if pinned_starts; then exit 0; fi
  else
    printf '%s\n' "$log" >&2
  fi
fi

if own_is_enough; then
  rm -f "$pinned"
  say "the pinned Node does not start here: using the machine's own ($("$own" --version)) instead."
  exit 0
fi

say "the pinned Node does not start. Install libatomic1 (Debian, Ubuntu: apt-get install libatomic1; Fedora: dnf install libatomic), or Node $oldest or newer. Then run npm ci again."
exit 1
