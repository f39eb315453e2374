#!/bin/sh
# Builds and runs the consumers against alloc, and checks which of its libraries they use.
#
#   consume.sh METHOD KIND WHERE WORK
#
# METHOD  component (find_package asks for one), chooser (ALLOC_SHARED tells find_package), pkg-config or add_subdirectory
# KIND    shared, static, malloc or malloc_static: what is asked for, and what must have been linked
# WHERE   the prefix alloc is installed in; for add_subdirectory its source
# WORK    a directory to work in, which is emptied
#
# The compilers are $CC and $CXX, CMake's generator is $CMAKE_GENERATOR.
set -eu
method=$1 kind=$2 where=$3 work=$4
source=$(cd "$(dirname "$0")/consumer" && pwd)
case $kind in
malloc*) name=alloc-malloc consumers='consumer_malloc_c consumer_malloc_cxx' ;;
*) name=alloc consumers='consumer_c consumer_cxx consumer_cxx17' ;;
esac
case $kind in
*static) shared=OFF static=-static ;;
*) shared=ON static= ;;
esac
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
    cmake -S "$source" -B "$work" -DALLOC_SOURCE_DIR="$where" -DBUILD_SHARED_LIBS=$shared -DCOMPONENT="$kind"
    cmake --build "$work"
    ;;
pkg-config)
    PKG_CONFIG_PATH=$(dirname "$(find "$where" -name "$name.pc")")
    export PKG_CONFIG_PATH
    flags="$static $(pkg-config ${static:+--static} --cflags --libs "$name")"
    # Here the headers are no system headers, so the compilers judge them too.
    strict='-O2 -Wall -Wextra -Wpedantic -Wconversion -Wcast-qual -Wshadow -Werror'
    set -x
    case $kind in
    malloc*)
        "$CC" $strict "$source/malloc.c" -o "$work/consumer_malloc_c" $flags
        "$CXX" $strict "$source/malloc.cpp" -o "$work/consumer_malloc_cxx" $flags
        ;;
    *)
        "$CC" -std=c99 $strict "$source/consumer.c" -o "$work/consumer_c" $flags
        "$CXX" -std=c++11 $strict -Wold-style-cast "$source/consumer.cpp" -o "$work/consumer_cxx" $flags
        "$CXX" -std=c++17 $strict -Wold-style-cast "$source/containers.cpp" -o "$work/consumer_cxx17" $flags
        ;;
    esac
    set +x
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir "$name")
    export LD_LIBRARY_PATH
    ;;
esac

for consumer in $consumers; do
    "$work/$consumer"
    case $(readelf -d "$work/$consumer") in
    *NEEDED*liballoc_malloc.so.1*) linked=malloc ;;
    *NEEDED*liballoc.so.1*) linked=shared ;;
    *) linked=${static:+$kind} ;;
    esac
    if [ "$linked" != "$kind" ]; then
        echo "$consumer uses ${linked:-none of the libraries}; asked for was $kind" >&2
        exit 1
    fi
done
