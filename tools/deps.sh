#!/bin/sh
# deps.sh build|test|lint|regress|bench|package ... - install the Debian packages that the named parts need. The version
# of PostgreSQL is the distribution's, or PGARK_PG_VERSION.
#
# Does nothing, and needs no root, when everything is there. Otherwise says what is missing and
# installs it by apt-get, as root or through sudo.
set -eu

pg=${PGARK_PG_VERSION:-}
if [ -z "$pg" ]; then
    pg=15
    ! grep -qs '^VERSION_CODENAME=trixie' /etc/os-release || pg=17
fi

list_build="meson ninja-build pkg-config gcc libc6-dev libpq-dev libzstd-dev liblz4-dev zlib1g-dev
    libssl-dev libcurl4-openssl-dev libarchive-dev libxxhash-dev libisal-dev libtalloc-dev libjansson-dev
    libinih-dev libpcre2-dev libyaml-dev make libkrb5-dev postgresql-server-dev-$pg"
list_test="libcmocka-dev postgresql-$pg postgresql-client-$pg perl libipc-run-perl procps iproute2 zstd lz4 bash
    zsh libio-socket-ssl-perl openssl"
# The test modules of older versions are not enough; newer ones can drive older servers.
[ "$pg" -ge 15 ] || list_test="$list_test postgresql-client-15"
list_regress="postgresql-server-dev-$pg gcc libc6-dev make bzip2 xz-utils"
list_bench="pgcopydb"
list_package="dpkg-dev"
list_lint="clang libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck man-db git"

wanted=
for part in "$@"; do
    case $part in
        build) wanted="$wanted $list_build" ;;
        test) wanted="$wanted $list_test" ;;
        bench) wanted="$wanted $list_bench" ;;
        package) wanted="$wanted $list_package" ;;
        regress) wanted="$wanted $list_regress" ;;
        lint) wanted="$wanted $list_lint" ;;
        *) echo "deps.sh: unknown part \"$part\"" >&2; exit 1 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: no dpkg here: install by your own means what these Debian packages hold:" \
        $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
else
    echo "deps.sh: these packages are missing, and there is neither root nor sudo:$missing" >&2
    exit 1
fi

echo "pgark: installing packages by apt-get:$missing"

# The server package would make and start a cluster of its own. Only the programs are needed, so
# that is switched off for this installation; the switch goes again with the script.
no_cluster=/etc/postgresql-common/createcluster.d/pgark-no-main-cluster.conf
remove_switch()
{
    $as_root rm -f "$no_cluster"
}
case $missing in
    *postgresql-"$pg"*)
        trap remove_switch EXIT
        trap 'exit 1' HUP INT TERM
        $as_root mkdir -p "${no_cluster%/*}"
        echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
        ;;
esac

log=$(mktemp)
install_missing()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $missing >"$log" 2>&1
}
# The package lists of a fresh machine are empty or old, of others usually good: try before fetching.
if ! install_missing; then
    $as_root apt-get update >>"$log" 2>&1 || true
    if ! install_missing; then
        tail -n 30 "$log" >&2
        echo "deps.sh: apt-get could not install:$missing" >&2
        rm -f "$log"
        exit 1
    fi
fi
rm -f "$log"
