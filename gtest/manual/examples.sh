#!/bin/sh
# examples.sh CMAKE SOURCE PREFIX WORK: every example is short, has its line in the README, is built as its users build it, with every
# warning an error, and prints what it should. (Those in Rust are built by gtest/rust.)
set -eu
cmake=$1 examples=$2/examples expected=$2/gtest/manual/examples prefix=$3 work=$4
strict='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
rm -rf "$work"

for file in "$examples"/*.c "$examples"/*.cpp "$examples"/*.sh "$examples"/*.rs; do
    [ "$(wc -l <"$file")" -lt 80 ] || { echo "${file##*/} is not short"; exit 1; }
    grep -q "(${file##*/})" "$examples/README.md" || { echo "${file##*/} is not in the README"; exit 1; }
done

"$cmake" -S "$examples" -B "$work" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict" >/dev/null
"$cmake" --build "$work"
for name in sized growing_array containers family_list family_server; do
    "$work/$name" | diff - "$expected/$name.txt"
done
sh "$examples/drop_in.sh" "$(find "$prefix" -name liballoc_malloc.so)" | diff - "$expected/drop_in.txt"

# Prometheus: each line is a comment or a sample, each sample's type was said before, and the numbers are of this program.
"$work/prometheus" >"$work/metrics"
awk '/^# HELP [a-z_]+ .+$/ { next }
    /^# TYPE [a-z_]+ (gauge|counter)$/ { type[$3] = $4; next }
    /^[a-z_]+({size="[0-9]+"})? [0-9]+$/ {
        name = $1
        sub(/{.*/, "", name)
        if (name in type && (type[name] == "counter") == (name ~ /_total$/)) { samples++; next }
    }
    { print "not a metric: " $0; bad = 1 }
    END { exit bad || samples < 20 }' "$work/metrics"
grep -qx 'alloc_large_bytes 4194304' "$work/metrics"
grep -qx 'alloc_class_slots{size="512"} [1-9][0-9]*' "$work/metrics"
