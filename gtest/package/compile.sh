#!/bin/sh
# Compiles the C++ consumer under every standard from C++17 on, with and without exceptions and type information, with
# whatever the compiler may warn of as an error; and runs it.
#
#   compile.sh COMPILER PREFIX PROGRAM
set -eu
compiler=$1 prefix=$2 program=$3
source=$(cd "$(dirname "$0")/consumer" && pwd)
library=$(find "$prefix" -name liballoc.a)
for standard in 17 20 2b; do
    for without in '' '-fno-exceptions -fno-rtti'; do
        (
            set -x
            "$compiler" -std=c++$standard $without -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual \
                -Wold-style-cast -Wnon-virtual-dtor -Werror -I "$prefix/include" \
                "$source/containers.cpp" -o "$program" "$library" -pthread
        )
        "$program"
    done
done
