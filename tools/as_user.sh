#!/bin/bash
# as_user.sh [-b BUILD] [-o DIR] [-m] -- COMMAND [ARG]... - run a command of the checkout where servers
# can run.
#
# PostgreSQL refuses to run as root, and the checkout may be unreadable to anybody else. So what the
# command needs (scripts, suites, the built programs) is copied to a scratch directory below /tmp, and
# the command is run there; by the user postgres (or $PGARK_TEST_USER) when we are root, else by
# ourselves. The scratch directory goes when the command succeeds, and stays for inspection otherwise.
#
#   -b BUILD   the build directory to take the programs from (default: build)
#   -o DIR     copy what the command leaves in its directory "results" to DIR of the checkout
#   -m         for suites: as root, where there is plenty of memory, the scratch directory is a file system in
#              memory (not with PGARK_TEST_DISK=1), a small one (16 MB) is offered in $PGARK_TEST_TMPFS, and a program
#              that belongs neither to root nor to that user in $PGARK_TEST_FOREIGN.
#              Servers that live for seconds are mostly files made and deleted, which is what disks are slow at.
set -euo pipefail

build=build
results=
for_suites=
while getopts b:o:m option; do
    case $option in
        b) build=$OPTARG ;;
        o) results=$OPTARG ;;
        m) for_suites=yes ;;
        *) exit 1 ;;
    esac
done
shift $((OPTIND - 1))
source_dir=$(cd "$(dirname "$0")/.." && pwd)

scratch=$(mktemp -d /tmp/pgark-XXXXXX)
in_memory=
mounted=
foreign=
status=1

# mount_memory - the scratch directory in memory, if a fraction of what is free is enough for it.
mount_memory()
{
    local free
    free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    [ "${free:-0}" -ge 8000000 ] || return 0
    if mount -t tmpfs -o size=$((free / 2))k,mode=700 tmpfs "$scratch" 2>/dev/null; then
        in_memory=yes
    fi
}

# What is worth a look leaves memory.
finish()
{
    local kept=
    cd /
    [ -z "$mounted" ] || umount "$mounted" || true
    if [ "$status" != 0 ] && [ -z "${PGARK_TEST_CLEAN:-}" ]; then
        kept=$scratch
        if [ -n "$in_memory" ]; then
            kept=$(mktemp -d /tmp/pgark-XXXXXX)
            cp -a "$scratch/." "$kept/"
        fi
        echo "as_user.sh: the files of the failed run are in $kept" >&2
    fi
    [ -z "$in_memory" ] || umount "$scratch" || umount --lazy "$scratch" || true
    [ "$kept" = "$scratch" ] || rm -rf "$scratch"
}
trap finish EXIT
# A signal is for the command; this script only waits for its end and cleans up.
trap : INT TERM HUP

if [ -n "$for_suites" ] && [ "$(id -u)" = 0 ] && [ -z "${PGARK_TEST_DISK:-}" ]; then
    mount_memory
fi
for part in tools test demo bench doc; do
    [ ! -d "$source_dir/$part" ] || cp -r "$source_dir/$part" "$scratch/"
done
mkdir "$scratch/bin" "$scratch/home" "$scratch/tmp" "$scratch/results"
for program in src/cli/pgark test/tools/money test/tools/runstat; do
    if [ ! -x "$source_dir/$build/$program" ]; then
        echo "as_user.sh: $build/$program is not built" >&2
        exit 1
    fi
    cp "$source_dir/$build/$program" "$scratch/bin/"
done

# Its other names.
for name in $(sed -n "s/^  '\(gp[a-z_]*\)',$/\1/p" "$source_dir/src/compat/meson.build"); do
    ln -s pgark "$scratch/bin/$name"
done

# The extension's regression tests run where they are written.
[ ! -d "$source_dir/extension" ] || cp -r "$source_dir/extension" "$scratch/"

# The newest server wins, unless another one is asked for.
pg_bin=${PGARK_PG_BIN:-}
if [ -z "$pg_bin" ]; then
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -n); do
        [ ! -x "$dir/initdb" ] || pg_bin=$dir
    done
fi
if [ -z "$pg_bin" ]; then
    echo "as_user.sh: no PostgreSQL server found below /usr/lib/postgresql" >&2
    exit 1
fi

# A copy of the server that has the extension, where that is built: for the suites of agents only.
pg_agents=
if [ -e "$source_dir/$build/extension/pgark.so" ] || [ -e "$build/extension/pgark.so" ]; then
    PG_CONFIG="$pg_bin/pg_config" "$source_dir/tools/extension.sh" root "$build" "$scratch/server" \
        >"$scratch/pg_agents" && pg_agents=$(dirname "$(cat "$scratch/pg_agents")")
fi

run_as=()
if [ "$(id -u)" = 0 ]; then
    user=${PGARK_TEST_USER:-postgres}
    id "$user" >/dev/null 2>&1 || user=nobody
    if [ -n "$for_suites" ]; then
        mkdir "$scratch/small"
        if mount -t tmpfs -o size=16m,mode=700,uid="$(id -u "$user")" tmpfs "$scratch/small" \
            2>/dev/null; then
            mounted=$scratch/small
        fi
    fi
    chown -R "$user:" "$scratch"
    if [ -n "$for_suites" ]; then
        install -m 755 -o $(($(id -u "$user") + 1)) /bin/true "$scratch/foreign" 2>/dev/null && foreign=$scratch/foreign
    fi
    run_as=(runuser -u "$user" --)
fi

# The newest test modules can drive older servers.
pgxs=$(dirname "$("$pg_bin/pg_config" --pgxs)")/../..
modules=$pgxs/src/test/perl
for dir in $(printf '%s\n' /usr/lib/postgresql/*/lib/pgxs/src/test/perl | sort -t/ -k5 -n); do
    [ ! -d "$dir" ] || modules=$dir
done
environment=(
    HOME="$scratch/home" TMPDIR="$scratch/tmp" LC_ALL=C.UTF-8
    PATH="$pg_bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    PGARK="$scratch/bin/pgark" PGARK_TOOLS="$scratch/bin" PGARK_SCRATCH="$scratch"
    PERL5LIB="$modules:$scratch/test/tap"
    PG_REGRESS="$pgxs/src/test/regress/pg_regress"
    TESTDIR="$scratch" TESTDATADIR="$scratch/tmp_check" TESTLOGDIR="$scratch/tmp_check/log"
    PG_TEST_PORT_DIR="$scratch/ports"
)
[ -z "$pg_agents" ] || environment+=(PGARK_PG_AGENTS="$pg_agents")
[ -z "$mounted" ] || environment+=(PGARK_TEST_TMPFS="$mounted")
[ -z "$foreign" ] || environment+=(PGARK_TEST_FOREIGN="$foreign")
for name in SCALE RUNS CONTESTS JOBS PROVE_FLAGS ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS LSAN_OPTIONS \
    PG_TEST_NOCLEAN PGARK_TEST_FULL PGARK_BENCH_PG_DUMP PGARK_BENCH_PGCOPYDB PGARK_GREENPLUM_BIN GPHOME; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done

cd "$scratch"
status=0
# In the foreground, so that the terminal's signals reach it as they reach any program.
"${run_as[@]}" env -i "${environment[@]}" "$@" || status=$?

if [ -n "$results" ] && [ -n "$(ls -A "$scratch/results")" ]; then
    mkdir -p "$source_dir/$results"
    cp -r "$scratch/results/." "$source_dir/$results/"
fi
exit "$status"
