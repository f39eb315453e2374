#!/bin/sh
# packages.sh CMAKE CPACK CC SOURCE BUILD WORK: the Debian packages and the tarballs that cpack makes of BUILD. Together they have what an installation
# has, each file once, and documents as Debian wants them; lintian finds no error; a program is built and runs with what they bring. The sources' tarball has all sources.
set -eu
cmake=$1 cpack=$2 cc=$3 source=$4 build=$5 work=$6
for tool in dpkg-deb dpkg-shlibdeps lintian; do
    command -v $tool >/dev/null || { echo "skipped: no $tool (Debian: lintian)"; exit 0; }
done
rm -rf "$work"
mkdir -p "$work"
fail() { echo "$*"; exit 1; }
files_in() { (cd "$1" && find . ! -type d | sort); }

DEBFULLNAME='A Packager' DEBEMAIL=packager@debian.org "$cmake" "$build" -DCMAKE_INSTALL_PREFIX=/usr >/dev/null
DESTDIR="$work/installed" "$cmake" --install "$build" >/dev/null
cd "$work"
for generator in DEB TGZ; do
    "$cpack" --config "$build/CPackConfig.cmake" -B "$work" -G $generator >log 2>&1 || { cat log; exit 1; }
done
"$cpack" --config "$build/CPackSourceConfig.cmake" -B "$work" >log 2>&1 || { cat log; exit 1; }

lintian --fail-on error ./*.deb

for deb in ./*.deb; do
    dpkg-deb -x "$deb" unpacked
    dpkg-deb -c "$deb" | grep -v '/$'
done >contents
[ "$(ls ./*.deb | wc -l)" = 2 ] && [ "$(wc -l <contents)" = "$(files_in unpacked | wc -l)" ] || fail "a file is in both packages"
(cd unpacked && rm -rf usr/share/doc usr/share/lintian && find . -path '*/man/*.gz' -exec gunzip {} +)
files_in installed >all_expected
grep -v /share/doc/ all_expected >expected
files_in unpacked | diff expected - || fail "the packages have other files than an installation"
dpkg-deb -I liballoc1_*.deb | grep -q '^ Depends: libc6 (>= ' || fail "liballoc1 depends on nothing"
dpkg-deb -I liballoc-dev_*.deb | grep -q '^ Depends: liballoc1 (= ' || fail "liballoc-dev does not depend on liballoc1"
for file in $(dpkg-deb -c liballoc1_*.deb | awk '/liballoc.*[.]so/ { print $6 }'); do
    case $file in *.so.*) ;; *) fail "liballoc1 has $file" ;; esac
done

export PKG_CONFIG_PATH="$(dirname "$(find "$work/unpacked" -name alloc.pc)")"
cat >prog.c <<'END'
#include <alloc/alloc_std.h>
int main(void) { void *p = alloc_malloc(100); alloc_free(p, 100); return p == 0; }
END
for document in copyright changelog.gz changelog.Debian.gz; do
    dpkg-deb -c liballoc1_*.deb | grep -q "/doc/liballoc1/$document" || fail "liballoc1 has no $document"
done
grep -q '/doc/alloc/LICENSE$' all_expected || fail "an installation has no licence"

"$cc" prog.c $(pkg-config --cflags --libs alloc) -o prog
export LD_LIBRARY_PATH="$(pkg-config --variable=libdir alloc)"
./prog
[ "$(LD_PRELOAD="$LD_LIBRARY_PATH/liballoc_malloc.so.1" ALLOC_VERBOSITY=2 perl -e 1 2>&1 | cut -c 1-8)" = 'alloc: {' ] ||
    fail "the drop-in cannot be preloaded"
unset LD_LIBRARY_PATH

mkdir binary
tar -xzf alloc-*-Linux.tar.gz -C binary --strip-components=1
[ "$(files_in binary | sed 's|.*/||' | sort)" = "$(sed 's|.*/||' all_expected | sort)" ] || fail "the tarball has other files than an installation"

mkdir sources
rm alloc-*-Linux.tar.gz
tar -xzf alloc-*.tar.gz -C sources --strip-components=1
if [ -e "$source/.git" ]; then
    (cd "$source" && git ls-files --cached --others --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "./$file"; done | sort) >expected
    files_in sources | diff expected - || fail "the sources' tarball has not exactly the sources"
fi
[ -e sources/CMakeLists.txt ] && [ -e sources/LICENSE ] || fail "the sources' tarball lacks what builds"
