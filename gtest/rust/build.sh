#!/bin/sh
# build.sh RUSTC PROGRAM OPTION...: builds the consumer in the newest edition; by a compiler before 1.82, as that wants it.
set -eu
sources=$(dirname "$0") rustc=$1 program=$2
shift 2
if "$rustc" --edition 2024 --print cfg >/dev/null 2>&1; then
    exec "$rustc" --edition 2024 -O -D warnings "$sources/consumer.rs" -o "$program" "$@"
fi
older=$(mktemp -d)
trap 'rm -rf "$older"' EXIT
for file in alloc consumer; do
    sed 's/^unsafe extern/extern/' "$sources/$file.rs" >"$older/$file.rs"
done
"$rustc" --edition 2021 -O -D warnings -A unused_unsafe "$older/consumer.rs" -o "$program" "$@"
