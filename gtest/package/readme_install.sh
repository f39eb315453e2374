#!/bin/sh
# readme_install.sh CMAKE CC SOURCE WORK: what the README says about installing, from the build to what is left at the end, also below a
# DESTDIR; and that a project which includes alloc without a build type has it optimised.
set -eu
cmake=$1 cc=$2 source=$3 work=$4
rm -rf "$work"
command -v make >/dev/null && export CMAKE_GENERATOR="Unix Makefiles" # what CMake takes by itself
mkdir -p "$work/parent"
"$cmake" -S "$source" -B "$work/build" -DALLOC_TESTS=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$cc" >/dev/null
"$cmake" --build "$work/build" --parallel 2 >/dev/null

# As packagers install: below another root, which comes in no path of a file.
DESTDIR="$work/root" "$cmake" --install "$work/build" --prefix /opt/alloc >/dev/null
export PKG_CONFIG_PATH="$(dirname "$(find "$work/root/opt/alloc" -name alloc.pc)")"
printf '#include <alloc/alloc_std.h>\nint main(void) { void *p = alloc_malloc(100); alloc_free(p, 100); return p == 0; }\n' >"$work/prog.c"
"$cc" "$work/prog.c" $(pkg-config --cflags --libs alloc) -Wl,-rpath,$(pkg-config --variable=libdir alloc) -o "$work/prog"
"$work/prog"
! grep -rIl "$work/root" "$work/root" || exit 1
DESTDIR="$work/root" "$cmake" --build "$work/build" --target uninstall >/dev/null
[ -z "$(find "$work/root" ! -type d)" ] || {
    echo "left behind below DESTDIR:"
    find "$work/root" ! -type d
    exit 1
}

"$cmake" --install "$work/build" --prefix "$work/prefix" >/dev/null
export PKG_CONFIG_PATH="$(dirname "$(find "$work/prefix" -name alloc.pc)")"
"$cc" "$work/prog.c" $(pkg-config --cflags --libs alloc) -Wl,-rpath,$(pkg-config --variable=libdir alloc) -o "$work/prog"
"$work/prog"
"$cmake" --build "$work/build" --target uninstall >/dev/null
left=$(find "$work/prefix" ! -type d)
[ -z "$left" ] || {
    echo "left behind: $left"
    exit 1
}
printf 'cmake_minimum_required(VERSION 3.22)\nproject(parent C)\nadd_subdirectory("%s" alloc)\n' "$source" >"$work/parent/CMakeLists.txt"
"$cmake" -S "$work/parent" -B "$work/parent/build" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_C_COMPILER="$cc" >/dev/null
grep -q -- '-O2 .*bin\.c' "$work/parent/build/compile_commands.json" || {
    echo "not optimised without a build type"
    exit 1
}
