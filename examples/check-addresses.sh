#!/bin/sh
# Keeps the addresses of a list that are in a private network, and says of the rest what is wrong with it.
set -eu
for address in 10.1.2.3 010.0.0.1 8.8.8.8 fd00::1 example.test; do
  if tnet isip --in 10.0.0.0/8,fd00::/8 "$address" > /dev/null; then
    echo "$address"
  fi
done
