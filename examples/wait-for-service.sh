#!/bin/sh
# Starts a program once a server accepts connections, as in CI or a container's entry point.
set -eu
dir=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT

# A server that takes its time: here an echo on a Unix socket, a second from now.
(sleep 1; exec tnet echo -U "$dir/db.sock" 2>/dev/null) &
server=$!

tnet connect --wait 30s "$dir/db.sock" -- echo 'the server is there'
