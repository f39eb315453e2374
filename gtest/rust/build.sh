#!/bin/sh
# build.sh RUSTC MAIN PROGRAM OPTION...: builds a program with examples/alloc.rs, in the newest edition; by a compiler before 1.82, as
# that wants it.
set -eu
rustc=$1 main=$2 program=$3
shift 3
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
cp "$(dirname "$0")/../../examples/alloc.rs" "$sources"
cp "$main" "$sources/main.rs"
if "$rustc" --edition 2024 --print cfg >/dev/null 2>&1; then
    edition=2024 older=
else
    edition=2021 older='-A unused_unsafe'
    sed -i 's/^unsafe extern/extern/' "$sources/alloc.rs" "$sources/main.rs"
fi
# shellcheck disable=SC2086
"$rustc" --edition $edition -O -D warnings $older "$sources/main.rs" -o "$program" "$@"
