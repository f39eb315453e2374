#!/bin/sh
# html.sh MANDOC PAGES OUT: the manual in HTML, with an index. PAGES has the pages in man3, man7, ..., and pages that refer to them.
set -eu
mandoc=$1 pages=$2 out=$3
source=$(cd "$(dirname "$0")" && pwd)
rm -rf "$out"
mkdir -p "$out"
cp "$source/style.css" "$out"
cd "$out"

# mandoc links to pages whose source it finds beside it, and to others elsewhere.
cp "$pages"/man*/* .
for page in "$pages"/man*/*; do
    read -r first <"$page"
    case $first in
    .so*) ;;
    *) "$mandoc" -Thtml -O 'style=style.css,man=%N.%S.html;https://man7.org/linux/man-pages/man%S/%N.%S.html' "$page" \
        >"${page##*/}.html" ;;
    esac
done
for page in "$pages"/man*/*; do
    read -r first target <"$page"
    case $first in
    .so) cp "${target##*/}.html" "${page##*/}.html" ;;
    esac
done

rm ./*.[1-9]

link() { # FILE: to its page
    name=${1##*/}
    echo "<a href=\"$name.html\">${name%.*}(${name##*.})</a>"
}
{
    cat <<END
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"/><link rel="stylesheet" href="style.css"/><title>alloc: the manual</title></head>
<body>
<h1>alloc: the manual</h1>
<dl>
END
    names=
    for page in "$pages"/man*/*; do
        read -r first target <"$page"
        case $first in
        .so) names="$names ${page##*/}" ;;
        *)
            echo "<dt>$(link "$page")</dt>"
            sed -n 's|^\.Nd \(.*\)|<dd>\1</dd>|p' "$page"
            ;;
        esac
    done
    echo '</dl>'
    echo '<p>Other names:'
    for page in $names; do
        link "$page"
    done
    printf '</p>\n</body>\n</html>\n'
} >index.html
