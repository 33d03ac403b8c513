#!/bin/sh
# Three datacenters on this machine that reach each other through mesh gateways alone: `run.sh up` and `run.sh down`.
# dc1 has three servers and two gateways, dc2 and dc3 one of each; every datacenter has a client. Certificates, data, logs and process ids lie in
# ./federation below the directory where this is called; PRAETOR names the program (praetor).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
praetor=${PRAETOR:-praetor}
work=$PWD/federation

# certificate <directory> <dc> <-server|-client> [-node name]
certificate() {
  mkdir -p "$work/$1/tls"
  (
    cd "$work"
    said=$("$praetor" tls cert create "$3" -dc "$2" ${4:+"$4" "$5"})
    file=$(echo "$said" | sed -n 's/^==> Saved \(.*consul-[0-9]*\)\.pem$/\1/p' | head -n 1)
    mv "$file.pem" "$1/tls/cert.pem"
    mv "$file-key.pem" "$1/tls/key.pem"
    cp consul-agent-ca.pem "$1/tls/ca.pem"
  )
}

# start <directory> <command...>: in the background, in its own directory
start() {
  dir=$work/$1
  shift
  (
    cd "$dir"
    "$@" > log 2>&1 &
    echo $! > pid
  )
}

# server <dc number> <server number> <servers> [more arguments]
server() {
  name=dc$1-s$2
  certificate "$name" "dc$1" -server -node "s$2"
  dc=$1 number=$2 expect=$3
  shift 3
  start "$name" "$praetor" agent -config-file "$here/server.hcl" -datacenter "dc$dc" -node "s$number" \
    -bind "127.0.$dc.$number" -client "127.0.$dc.$number" -bootstrap-expect "$expect" -retry-join "127.0.$dc.1" "$@"
}

client() {
  certificate "dc$1-c1" "dc$1" -client
  start "dc$1-c1" "$praetor" agent -config-file "$here/client.hcl" -datacenter "dc$1" -node c1 \
    -bind "127.0.$1.8" -client "127.0.$1.8" -retry-join "127.0.$1.1"
}

# gateway <dc number> <gateway number>: registered with the agent of server 1
gateway() {
  mkdir -p "$work/dc$1-g$2"
  at=127.0.$1.$((8 + $2)):8443
  start "dc$1-g$2" "$praetor" connect gateway -mesh -register -expose-servers -service "mesh-gateway-$2" \
    -address "$at" -wan-address "$at" -http-addr "127.0.$1.1:8500"
}

up() {
  if [ -e "$work" ]; then
    echo "$work exists: call \`$0 down\` first, or work elsewhere" >&2
    exit 1
  fi
  mkdir -p "$work"
  (cd "$work" && "$praetor" tls ca create > /dev/null)
  server 1 1 3
  server 1 2 3
  server 1 3 3
  server 2 1 1 -config-file "$here/secondary.hcl"
  server 3 1 1 -config-file "$here/secondary.hcl"
  client 1
  client 2
  client 3
  # A gateway registers with an agent, so that must answer first.
  for dc in 1 2 3; do
    try=0
    until "$praetor" catalog nodes -http-addr "127.0.$dc.1:8500" > /dev/null 2>&1 || [ $try -ge 60 ]; do
      try=$((try + 1))
      sleep 0.5
    done
  done
  gateway 1 1
  gateway 1 2
  gateway 2 1
  gateway 3 1
  # Until a client in dc3 reads from dc2, which is the longest way there is.
  try=0
  until "$praetor" catalog nodes -datacenter dc2 -http-addr 127.0.3.8:8500 > /dev/null 2>&1 || [ $try -ge 120 ]; do
    try=$((try + 1))
    sleep 0.5
  done
  "$praetor" members -wan -http-addr 127.0.3.1:8500
  echo
  "$praetor" operator federation -http-addr 127.0.3.1:8500
}

# Whether a process is there and has not ended.
runs() {
  [ -e "/proc/$1/status" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status"
}

down() {
  for pid in "$work"/*/pid; do
    [ -e "$pid" ] || continue
    kill "$(cat "$pid")" 2> /dev/null || true
  done
  # They leave in order, which takes a moment, and hold their ports until then.
  try=0
  for pid in "$work"/*/pid; do
    [ -e "$pid" ] || continue
    while runs "$(cat "$pid")" && [ $try -lt 80 ]; do
      try=$((try + 1))
      sleep 0.25
    done
  done
  rm -rf "$work"
}

case "${1:-}" in
up) up ;;
down) down ;;
*)
  echo "usage: $0 up|down" >&2
  exit 2
  ;;
esac
