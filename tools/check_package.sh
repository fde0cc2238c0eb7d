#!/bin/bash
# check_package.sh PACKAGE - install a Debian package on a clean system, use it, and remove it again.
#
# The system is a chroot that debootstrap makes of the same distribution as this one, in a scratch directory that
# goes in the end. Needs root and the network; apt-get's settings are the host's.
set -euo pipefail
cd "$(dirname "$0")/.."
package=$1
mirror=${PGARK_DEBIAN_MIRROR:-http://deb.debian.org/debian}
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

[ "$(id -u)" = 0 ] || { echo "check_package.sh: a chroot can only be made by root" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap >/dev/null

root=$(mktemp -d /var/tmp/pgark-package-XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT

fail()
{
    printf 'check_package.sh: error: %s\n' "$*" >&2
    exit 1
}

# inside COMMAND... - with /proc of its own; mounts and processes end with the command.
inside()
{
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child --propagation private /bin/bash -c '
        mount -t proc proc "$1/proc" && exec chroot "$@"' inside "$root" "$@"
}

echo "package: a clean $suite by debootstrap"
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; rm -f "$root.log"; fail "debootstrap failed"; }
rm -f "$root.log"
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$package" "$root/tmp/pgark.deb"

echo "package: install"
# Recommended packages, manual pages and documentation are what a container leaves out; here they are looked at.
rm -f "$root"/etc/dpkg/dpkg.cfg.d/*docker*
inside env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -q && apt-get install -q -y --no-install-recommends /tmp/pgark.deb man-db bash-completion systemd logrotate' \
    >"$root/tmp/log" 2>&1 || { tail -n 20 "$root/tmp/log" >&2; fail "the package cannot be installed"; }

echo "package: use"
version=$(dpkg-deb -f "$package" Version)
[ "$(inside pgark --version)" = "pgark $version" ] || fail "pgark --version"
inside sh -c 'cd / && md5sum --quiet -c /var/lib/dpkg/info/pgark.md5sums' || fail "files differ"
for command in $(inside pgark --completion bash | sed -n "s/.*compgen -W '\(.*\) help'.*/\1/p" | head -n 1); do
    inside pgark "$command" --help >/dev/null || fail "pgark $command --help"
    inside env MANPAGER=cat man "pgark-$command" 2>/dev/null | grep SYNOPSIS >/dev/null || fail "man pgark-$command"
done
for program in gp_dump gp_dump_agent gp_restore gp_restore_agent gpcrondump gpdbrestore; do
    [ "$(inside "$program" --version)" = "$program (pgark) $version" ] || fail "$program --version"
    inside env MANPAGER=cat man "$program" 2>/dev/null | grep SYNOPSIS >/dev/null || fail "man $program"
    inside bash -c '. /usr/share/bash-completion/bash_completion && _completion_loader "$1"; complete -p "$1"' \
        bash "$program" >/dev/null || fail "completion of $program"
done
inside bash -c '. /usr/share/bash-completion/bash_completion && _completion_loader pgark; complete -p pgark' \
    >/dev/null || fail "completion of bash"
inside sh -c 'cp /usr/share/doc/pgark/examples/pgark.conf /tmp && pgark config show --config /tmp/pgark.conf --fleet shop' \
    >/dev/null || fail "the example of a configuration file"
inside sh -c 'useradd -r postgres 2>/dev/null; systemd-analyze verify /usr/lib/systemd/system/pgark-*' ||
    fail "units of systemd"
inside sh -c 'logrotate -d -s /tmp/state /usr/share/doc/pgark/examples/pgark.logrotate 2>&1' >"$root/tmp/log" ||
    fail "the example for logrotate"
! grep -i '^error' "$root/tmp/log" || fail "the example for logrotate"
# No server is there: it is the message that is wanted.
said=$(inside pgark backup --repo /tmp/repo -d shop -h /tmp 2>&1 || true)
[[ $said == *'pgark: error: '*'could not connect'* ]] || fail "a backup without a server: $said"
inside sh -c 'pg_dump --version' | grep PostgreSQL >/dev/null || fail "there is no pg_dump"

echo "package: remove"
inside env DEBIAN_FRONTEND=noninteractive apt-get purge -q -y pgark >"$root/tmp/log" 2>&1 || fail "it cannot be removed"
left=$(find "$root/usr" "$root/etc" -name '*pgark*' -o -name 'gp_dump*' -o -name 'gp_restore*' -o \
    -name 'gpcrondump*' -o -name 'gpdbrestore*')
[ -z "$left" ] || fail "left behind: $left"
echo "package: good: $(basename "$package")"
