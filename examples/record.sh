#!/bin/sh
# Records a conversation with its directions, and reads it afterwards.
set -eu
dir=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
tnet echo -U "$dir/server.sock" 2>/dev/null &
server=$!

echo 'remember this' |
  tnet connect --wait 30s -o "$dir/talk.json" --format json "$dir/server.sock" > "$dir/answer"
cat "$dir/answer"
# One JSON object for each piece, sent and received.
wc -l < "$dir/talk.json" | awk '$1 >= 2 { print "recorded" }'
