#!/bin/sh
# Builds and runs the consumers against alloc, and checks which of its libraries they use.
#
#   consume.sh METHOD KIND WHERE WORK
#
# METHOD  component (find_package asks for one), chooser (ALLOC_SHARED tells find_package), pkg-config or add_subdirectory
# KIND    shared or static: what is asked for, and what must have been linked
# WHERE   the prefix alloc is installed in; for add_subdirectory its source
# WORK    a directory to work in, which is emptied
#
# The compilers are $CC and $CXX, CMake's generator is $CMAKE_GENERATOR.
set -eu
method=$1 kind=$2 where=$3 work=$4
source=$(cd "$(dirname "$0")/consumer" && pwd)
shared=OFF
[ "$kind" = static ] || shared=ON
rm -rf "$work"
mkdir -p "$work"

case $method in
component)
    cmake -S "$source" -B "$work" -DCOMPONENT="$kind" -DVERSION=1.0 -DCMAKE_PREFIX_PATH="$where"
    cmake --build "$work"
    ;;
chooser)
    cmake -S "$source" -B "$work" -DALLOC_SHARED=$shared -DVERSION=1.0 -DCMAKE_PREFIX_PATH="$where"
    cmake --build "$work"
    ;;
add_subdirectory)
    cmake -S "$source" -B "$work" -DALLOC_SOURCE_DIR="$where" -DBUILD_SHARED_LIBS=$shared
    cmake --build "$work"
    ;;
pkg-config)
    PKG_CONFIG_PATH=$(dirname "$(find "$where" -name alloc.pc)")
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs alloc)
    [ "$kind" = shared ] || flags="-static $(pkg-config --static --cflags --libs alloc)"
    # Here the headers are no system headers, so the compilers judge them too.
    strict='-O2 -Wall -Wextra -Wpedantic -Wconversion -Wcast-qual -Wshadow -Werror'
    set -x
    "$CC" -std=c99 $strict "$source/consumer.c" -o "$work/consumer_c" $flags
    "$CXX" -std=c++11 $strict -Wold-style-cast "$source/consumer.cpp" -o "$work/consumer_cxx" $flags
    "$CXX" -std=c++17 $strict -Wold-style-cast "$source/containers.cpp" -o "$work/consumer_cxx17" $flags
    set +x
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir alloc)
    export LD_LIBRARY_PATH
    ;;
esac

for consumer in consumer_c consumer_cxx consumer_cxx17; do
    "$work/$consumer"
    if readelf -d "$work/$consumer" | grep -q 'NEEDED.*liballoc\.so\.1'; then linked=shared; else linked=static; fi
    if [ "$linked" != "$kind" ]; then
        echo "$consumer uses the $linked library; the $kind one was asked for" >&2
        exit 1
    fi
done
