#!/bin/sh
# example.sh RUSTC MAIN PREFIX PROGRAM: the example, built against an installation by what pkg-config says, prints what it should.
set -eu
PKG_CONFIG_PATH=$(dirname "$(find "$3" -name alloc.pc)")
export PKG_CONFIG_PATH
sh "$(dirname "$0")/build.sh" "$1" "$2" "$4" $(pkg-config --libs alloc) -C link-arg=-Wl,-rpath,"$(pkg-config --variable=libdir alloc)"
said=$("$4")
[ "$said" = "999 squared is 998001
65 bytes take 80" ] || {
    echo "said: $said"
    exit 1
}
