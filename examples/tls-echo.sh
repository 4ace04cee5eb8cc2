#!/bin/sh
# A TLS server with a throw-away certificate. Its fingerprint is a pin, so the client knows whom it talks to.
set -eu
dir=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT

tnet listen --tls -c cat --ready-file "$dir/address" 127.0.0.1:0 2> "$dir/log" &
server=$!
while [ ! -s "$dir/address" ]; do sleep 0.1; done
pin=$(sed -n 's/.*fingerprint //p' "$dir/log")

echo 'nobody else can read this' | tnet connect --tls-insecure --tls-pin "$pin" "$(cat "$dir/address")"
