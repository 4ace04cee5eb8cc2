#!/bin/sh
# Offers a Unix socket on a port of loopback, for a program that cannot speak to a path.
set -eu
dir=$(mktemp -d)
trap 'kill "$service" "$proxy" 2>/dev/null || true; rm -rf "$dir"' EXIT
proxy=
tnet echo -U "$dir/service.sock" 2>/dev/null &
service=$!
until [ -S "$dir/service.sock" ]; do sleep 0.1; done
tnet proxy 127.0.0.1:0 "$dir/service.sock" 2> "$dir/log" &
proxy=$!
until address=$(grep -o '127\.0\.0\.1:[0-9]*' "$dir/log" | head -n 1) && [ -n "$address" ]; do sleep 0.1; done

echo 'through a port to a path' | tnet connect --wait 30s "$address"
