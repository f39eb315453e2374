#!/bin/sh
# installed.sh MANDOC MANDIR PAGE...: every name in a page's NAME section is an installed page, with that page's text.
set -eu
mandoc=$1 mandir=$2
shift 2
count=0
cd "$mandir" # from where one page refers to another
for page in "$@"; do
    section=${page##*.}
    expected=$("$mandoc" "$page")
    for name in $(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p' "$page"); do
        [ "$("$mandoc" "man$section/$name.$section")" = "$expected" ] || {
            echo "$name($section) does not show ${page##*/}"
            exit 1
        }
        count=$((count + 1))
    done
done
installed=$(find . -type f | wc -l)
[ "$count" -gt 40 ] && [ "$count" = "$installed" ] || {
    echo "$count names, and $installed pages installed"
    exit 1
}
