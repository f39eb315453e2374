#!/bin/sh
# debian11.sh SOURCE: the library on an older system (GCC 10, binutils 2.35, glibc 2.31; its CMake is too old), in a folder of its own: built
# without a warning, linked in every way, many times over where the linker lays things out by chance, and preloaded.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
command -v debootstrap >/dev/null && [ "$(id -u)" = 0 ] || {
    echo "skipped: needs debootstrap (Debian: debootstrap), and to be root"
    exit 0
}
debootstrap --variant=minbase --include=gcc,g++,libc6-dev bullseye "$root" >"$root.log" 2>&1 || {
    tail -n 3 "$root.log"
    rm -f "$root.log"
    echo "skipped: no Debian 11 to be had"
    exit 0
}
rm -f "$root.log"
cp -r "$1/core" "$1/abi" "$root/root"
cp "$1/gtest/package/linked.c" "$root/root"
cat >"$root/root/thrown.cpp" <<'END'
#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <thread>

int main()
{
    std::map<std::string, std::string> map;
    for (int i = 0; i < 10000; i++)
        map[std::to_string(i)] = std::string(i % 300, 'x');
    std::thread([&] { map.clear(); }).join();
    volatile std::size_t much = SIZE_MAX / 2;
    try {
        char *volatile block = new char[much];
        delete[] block;
    } catch (const std::bad_alloc &) {
        return 0;
    }
    return 1;
}
END
cat >"$root/root/build.sh" <<'END'
set -eu
cd /root
flags="-std=c11 -O2 -fPIC -fvisibility=hidden -fno-plt -fno-semantic-interposition -ftls-model=initial-exec -Icore -Iabi/include
    -DALLOC_NO_FORTIFY -DALLOC_THREADS=1 -DALLOC_DEBUG=0 -DALLOC_MALLOC_ALIGN=16 -Wall -Wextra -Werror"
compile() { gcc $flags "$@"; }
mkdir common sized malloc
for file in core/*.c core/os/os_linux.c abi/alloc_ctl.c abi/alloc_std.c; do compile -c "$file" -o "common/$(basename "$file").o"; done
compile -c abi/alloc_gp.c -o sized/gp.o
compile -c core/os/os_linux_no_fork.c -o sized/no_fork.o
compile -fno-builtin -fexceptions -c abi/alloc_malloc.c -o malloc/malloc.o
compile -fno-builtin -fexceptions -c abi/alloc_operators.c -o malloc/operators.o
compile -c core/os/os_linux_fork.c -o malloc/fork.o
gcc -r -nostdlib -o alloc.o common/*.o sized/*.o
objcopy --localize-hidden alloc.o
ar rcs liballoc.a alloc.o
gcc -shared -pthread -o liballoc_malloc.so common/*.o malloc/*.o -Wl,--version-script=abi/alloc_malloc.map -Wl,-z,now \
    -Wl,--dynamic-list=abi/alloc_malloc.operators -Wl,-z,noseparate-code -Wl,-T,abi/alloc_malloc.ld -ldl

for how in "-pie -fPIE" "-no-pie" "-static" "-static-pie" "-pie -fPIE -fuse-ld=gold"; do
    gcc -O2 -DSIZED $how -Iabi/include linked.c liballoc.a -pthread -ldl -o linked
    for run in 1 2 3 4 5 6 7 8 9 10 11 12; do
        [ "$(./linked)" = right ] || { echo "wrong: $how"; exit 1; }
    done
done
gcc -O2 linked.c -pthread -o plain
[ "$(LD_PRELOAD=/root/liballoc_malloc.so ./plain)" = right ]
g++ -O2 -std=c++17 thrown.cpp -pthread -o thrown
LD_PRELOAD=/root/liballoc_malloc.so ./thrown
for program in "ls /" "sort /etc/passwd" "g++ --version" "perl -e print(1)"; do
    LD_PRELOAD=/root/liballoc_malloc.so $program >/dev/null
done
END
chroot "$root" /bin/sh /root/build.sh
echo "Debian 11: right"
