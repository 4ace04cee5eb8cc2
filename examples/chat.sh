#!/bin/sh
# A chat server, and two people in it. What one says the others hear.
set -eu
dir=$(mktemp -d)
trap 'kill "$server" "$listener" 2>/dev/null || true; rm -rf "$dir"' EXIT
listener=

tnet listen -k -d --chat -U "$dir/room" >/dev/null 2>&1 &
server=$!
tnet connect --wait 30s "$dir/room" -- true

tnet connect -d "$dir/room" > "$dir/heard" &
listener=$!
# Says it until it is heard: who comes too late has missed the first words.
until grep -q 'hello, everybody' "$dir/heard"; do
  echo 'hello, everybody' | tnet connect --send-only "$dir/room"
  sleep 0.2
done
grep -m 1 -o 'hello, everybody' "$dir/heard"
