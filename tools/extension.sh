#!/bin/bash
# extension.sh build|install|root BUILD ... - the server's extension, by PGXS.
#
#   extension.sh build BUILD             compile it in BUILD/extension
#   extension.sh install BUILD           and install it into the server's own directories (DESTDIR is
#                                        honoured)
#   extension.sh root BUILD PREFIX       make a copy of the server below PREFIX that has the extension, and
#                                        print the directory of its programs
#
# The server is the one of $PG_CONFIG, or the newest below /usr/lib/postgresql that has its headers. Where there is none to
# build for (no headers), build says so and succeeds: pgark itself does not need it.
#
# A copy, because servers before 18 look for extensions nowhere but in their own directories, and tests
# must not write there. A server finds these directories from where its own program lies, as long as they
# lie to each other as it was configured: so its programs are copied, and the rest is symbolic links,
# but for the two directories in which the extension is.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
action=$1
build=$2
case $build in
    /*) ;;
    *) build=$source_dir/$build ;;
esac
where=$build/extension

pg_config=${PG_CONFIG:-}

# has_headers PG_CONFIG - a client's pg_config knows of headers that are not there.
has_headers()
{
    local pgxs
    pgxs=$("$1" --pgxs 2>/dev/null) && [ -e "$pgxs" ] &&
        [ -e "$("$1" --includedir-server)/postgres.h" ]
}

if [ -z "$pg_config" ]; then
    for file in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -t/ -k5 -n); do
        if [ -x "$file" ] && has_headers "$file"; then pg_config=$file; fi
    done
fi
[ -n "$pg_config" ] || pg_config=pg_config

# Without bitcode: it is of no use for functions that wait, and needs the compiler the server had.
run_make()
{
    mkdir -p "$where"
    make -s -C "$where" -f "$source_dir/extension/Makefile" PG_CONFIG="$pg_config" with_llvm=no \
        COPT="${PGARK_EXTENSION_COPT:-}" "$@"
}

# copy_tree FROM TO - TO as FROM: directories as such, files as links.
link_tree()
{
    mkdir -p "$2"
    cp -rs "$1/." "$2/"
}

make_root()
{
    local prefix=$1 bin share lib
    bin=$("$pg_config" --bindir)
    share=$("$pg_config" --sharedir)
    lib=$("$pg_config" --pkglibdir)
    mkdir -p "$prefix$bin"
    cp -L "$bin"/* "$prefix$bin/"
    link_tree "$share" "$prefix$share"
    link_tree "$lib" "$prefix$lib"
    run_make install DESTDIR="$prefix"
}

case $action in
    build)
        if ! has_headers "$pg_config"; then
            echo "extension.sh: no headers of a server here: the extension is not built" >&2
            exit 0
        fi
        run_make
        ;;
    install)
        has_headers "$pg_config" || exit 0
        run_make install
        ;;
    root)
        make_root "$3" >&2
        echo "$3$("$pg_config" --bindir)"
        ;;
    *)
        echo "extension.sh: unknown action \"$action\"" >&2
        exit 1
        ;;
esac
