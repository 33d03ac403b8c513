#!/bin/sh
# Three datacenters on this machine, joined over the WAN pool: `run.sh up` and `run.sh down`.
# They keep data, logs and process ids in the directory where this is called; PRAETOR names the program (praetor).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
praetor=${PRAETOR:-praetor}
agents="dc1 dc2 dc3 dc2-client"

case "${1:-}" in
up)
  for agent in $agents; do
    "$praetor" agent -config-file "$here/$agent.hcl" > "$agent.log" 2>&1 &
    echo $! > "$agent.pid"
  done
  # Joining takes a moment: until one agent lists all three.
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    count=$("$praetor" catalog datacenters -http-addr=127.0.0.14:8500 2> /dev/null | wc -l)
    [ "$count" -eq 3 ] && break
    sleep 1
  done
  "$praetor" members -wan -http-addr=127.0.0.11:8500
  ;;
down)
  for agent in $agents; do
    if [ -f "$agent.pid" ]; then
      kill "$(cat "$agent.pid")" 2> /dev/null || true
      rm "$agent.pid"
    fi
  done
  ;;
*)
  echo "usage: $0 up|down" >&2
  exit 2
  ;;
esac
