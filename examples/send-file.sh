#!/bin/sh
# Sends a file from one tnet to another. Both end with status 0 only when every byte has come.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
head -c 1000000 /dev/urandom > "$dir/original"

# -d: only receive. Port 0 is any free one, and --ready-file says which.
tnet listen -d --ready-file "$dir/address" 127.0.0.1:0 > "$dir/copy" 2>/dev/null &
receiver=$!
while [ ! -s "$dir/address" ]; do sleep 0.1; done

tnet connect "$(cat "$dir/address")" < "$dir/original"
wait "$receiver"
cmp "$dir/original" "$dir/copy" && echo 'the copy is the same'
