#!/bin/bash
# versions.sh setup|has|run|check - other versions of PostgreSQL, each in a Debian chroot of its own.
#
#   versions.sh setup VERSION            make the chroot of that major version, or complete it
#   versions.sh has VERSION              is it there?
#   versions.sh run VERSION COMMAND...   copy the checkout into it, and run a command in the copy
#   versions.sh check [VERSION]...       build there, run the unit tests, all suites and the demo;
#                                        default: all that are known
#
# The chroots lie below ${PGARK_CHROOTS:-/var/lib/pgark-chroots} and are kept: the first run downloads
# some hundred megabytes each, by debootstrap and apt-get with the host's settings. Only root can make and
# enter them. Nothing is installed on this machine but debootstrap, if it is missing. The checkout is not
# written to. What runs in a chroot lives in namespaces of its own: its mounts and its processes end with
# the command, however that ends.
set -euo pipefail

chroots=${PGARK_CHROOTS:-/var/lib/pgark-chroots}
mirror=${PGARK_DEBIAN_MIRROR:-http://deb.debian.org/debian}
source_dir=$(cd "$(dirname "$0")/.." && pwd)
inside=/srv/pgark

say()
{
    printf 'versions: %s\n' "$*"
}

fail()
{
    printf 'versions: error: %s\n' "$*" >&2
    exit 1
}

# suite_of VERSION - the Debian suite that has this version of PostgreSQL.
suite_of()
{
    case $1 in
        13) echo bookworm ;;
        17) echo trixie ;;
        18) echo sid ;;
        *) fail "no Debian suite is known that has PostgreSQL $1 (known: 13, 17, 18)" ;;
    esac
}

# older_suite_of VERSION - one more suite to take packages from: PostgreSQL 13 is in Debian 11, whose
# other packages are too old to build with.
older_suite_of()
{
    [ "$1" != 13 ] || echo bullseye
}

root_of()
{
    local suite
    suite=$(suite_of "$1") || exit 1
    echo "$chroots/$suite"
}

need_root()
{
    [ "$(id -u)" = 0 ] || fail "chroots can only be made and entered by root"
}

has()
{
    local root
    root=$(root_of "$1") || return 1
    [ -x "$root/usr/lib/postgresql/$1/bin/postgres" ] && [ ! -d "$root/debootstrap" ]
}

# enter VERSION COMMAND... - with /proc, /dev/pts and shared memory of its own.
enter()
{
    local version=$1 root
    root=$(root_of "$version")
    shift
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child --propagation private /bin/bash -c '
        set -e
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mkdir -p "$root/dev/shm" "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
        exec chroot "$root" /usr/bin/env -i "$@"
    ' enter "$root" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 PGARK_PG_VERSION="$version" PGARK_PG_BIN="/usr/lib/postgresql/$version/bin" \
        ${JOBS:+JOBS="$JOBS"} ${PROVE_FLAGS:+PROVE_FLAGS="$PROVE_FLAGS"} ${CONTRIB:+CONTRIB="$CONTRIB"} \
        "$@"
}

bootstrap()
{
    local version=$1 suite=$2 root=$3
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || fail "debootstrap is missing, and there is no apt-get to install it"
        say "installing debootstrap by apt-get"
        apt-get install -y --no-install-recommends debootstrap >/dev/null 2>&1 ||
            fail "debootstrap could not be installed"
    fi
    say "making a chroot of Debian $suite in $root (debootstrap, from $mirror)"
    # What an interrupted attempt left would be taken for a whole one.
    rm -rf --one-file-system "$root"
    mkdir -p "$chroots"
    if ! debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$chroots/$suite.log" 2>&1; then
        tail -n 20 "$chroots/$suite.log" >&2
        rm -rf --one-file-system "$root"
        fail "debootstrap of $suite for PostgreSQL $version failed"
    fi
}

# prepare VERSION ROOT - the host's way to the network, and no servers that are started by packages.
prepare()
{
    local root=$2 older
    older=$(older_suite_of "$1")
    [ -z "$older" ] ||
        printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg \
            "$mirror" "$older" >"$root/etc/apt/sources.list.d/older.list"
    apt-config dump 2>/dev/null | grep -E '^Acquire::(Check-|http|https|Retries)' \
        >"$root/etc/apt/apt.conf.d/90host" || true
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# copy_in ROOT - the checkout without what git ignores; builds from earlier runs stay beside it.
copy_in()
{
    local root=$1 to=$1$inside
    mkdir -p "$to"
    find "$to" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
    (
        cd "$source_dir"
        if ! git -c safe.directory="$source_dir" ls-files -co --exclude-standard -z 2>/dev/null; then
            find . -type f -not -path './build*' -print0
        fi
    ) | (cd "$source_dir" && tar --null --ignore-failed-read --no-recursion -T - -cf - 2>/dev/null) |
        tar -C "$to" -xf -
    rm -rf "$root"/tmp/pgark-*
}

setup()
{
    local version=$1 suite root
    need_root
    suite=$(suite_of "$version")
    root=$(root_of "$version")
    if [ ! -x "$root/usr/bin/apt-get" ] || [ -d "$root/debootstrap" ]; then
        bootstrap "$version" "$suite" "$root"
    fi
    prepare "$version" "$root"
    copy_in "$root"
    enter "$version" sh -c "cd $inside && tools/deps.sh build test regress" ||
        fail "packages for PostgreSQL $version could not be installed in $root"
    has "$version" || fail "there is no PostgreSQL $version in Debian $suite"
}

run()
{
    local version=$1
    shift
    need_root
    has "$version" || fail "PostgreSQL $version is not set up: tools/versions.sh setup $version"
    copy_in "$(root_of "$version")"
    enter "$version" sh -c "cd $inside && exec \"\$@\"" run "$@"
}

check()
{
    local version failed=()
    for version in "$@"; do
        setup "$version"
        say "PostgreSQL $version: building, then unit tests and suites"
        if ! run "$version" tools/check.sh build unit tap fault ||
            ! run "$version" tools/as_user.sh -b build -- demo/demo.sh; then
            failed+=("$version")
        fi
    done
    [ ${#failed[@]} = 0 ] || fail "PostgreSQL ${failed[*]}: see above"
    say "all passed with PostgreSQL $*"
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
    setup) [ $# = 1 ] && setup "$1" ;;
    has) [ $# = 1 ] && has "$1" ;;
    run) [ $# -gt 1 ] && run "$@" ;;
    check)
        [ $# -gt 0 ] || set -- 13 17 18
        check "$@"
        ;;
    *) fail "versions.sh setup|has|run|check" ;;
esac
