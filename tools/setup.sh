#!/bin/sh
# setup.sh DIR [MESON-OPTION]... - make the build directory DIR unless it is there.
set -eu

dir=$1
shift

if [ -f "$dir/build.ninja" ]; then
    exit 0
fi
meson=$(command -v meson || true)
if [ -z "$meson" ] || ! pkg-config --exists libpq talloc jansson libcurl libarchive; then
    "$(dirname "$0")/deps.sh" build
fi
meson setup "$dir" "$@" >"${TMPDIR:-/tmp}/pgark-setup.$$" 2>&1 || {
    cat "${TMPDIR:-/tmp}/pgark-setup.$$" >&2
    rm -f "${TMPDIR:-/tmp}/pgark-setup.$$"
    exit 1
}
rm -f "${TMPDIR:-/tmp}/pgark-setup.$$"
