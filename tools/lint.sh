#!/bin/bash
# lint.sh BUILD - everything that can be said about the sources without running them.
set -uo pipefail

build=$1
cd "$(dirname "$0")/.." || exit 1
status=0

step()
{
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        printf 'lint: %-14s ok\n' "$name"
    else
        cat "$log"
        printf 'lint: %-14s FAILED\n' "$name"
        status=1
    fi
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The files git knows, or, in a source archive without git, all there are.
sources()
{
    git ls-files --cached --others --exclude-standard "$@" 2>/dev/null && return
    local pattern
    for pattern in "$@"; do
        find . -name "${pattern##*/}" -not -path './build*' | sed 's,^\./,,'
    done
}

formatting()
{
    sources '*.c' '*.h' | xargs -r clang-format-14 --dry-run -Werror
}

# Some files per process, over all processors. Fuzz targets are not in the build that is analysed. The analyzer follows
# this many steps of a function: its own limit is about ten times as many, and takes several times as long.
tidy()
{
    tools/setup.sh "$build" && ninja -C "$build" --quiet || return 1
    sources 'src/*.c' 'test/tools/*.c' |
        xargs -r -P "$(nproc)" -n 4 clang-tidy-14 -p "$build" --quiet --extra-arg=-Xclang \
            --extra-arg=-analyzer-config --extra-arg=-Xclang \
            --extra-arg="max-nodes=${PGARK_LINT_NODES:-20000}" 2>/dev/null
}

scripts()
{
    local file failed=0
    while read -r file; do
        perl -I test/tap -I "$test_perl" -cw "$file" 2>&1 | grep -v 'syntax OK$' && failed=1
    done < <(sources '*.pl' '*.pm' '*.t' 'tools/check_layers')
    sources '*.sh' '.ci/run' 'test/regress/run' | xargs -r shellcheck -S warning || failed=1
    return "$failed"
}
pg_config=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -t/ -k5 -n | tail -n 1)
test_perl=$(dirname "$("$pg_config" --pgxs)")/../../src/test/perl

# The option table is the one source of help, man pages and completions: each must come out whole.
documentation()
{
    local pgark=$build/src/cli/pgark dir page failed=0
    dir=$(mktemp -d)
    "$pgark" --man-pages "$dir" || failed=1
    for page in "$dir"/*.1; do
        [ -s "$page" ] || failed=1
        man --warnings -l "$page" 2>&1 >/dev/null | grep . && failed=1
    done
    for command in backup restore export list show verify expire check config basebackup receive-wal restore-point; do
        [ -s "$dir/pgark-$command.1" ] || { echo "no man page of $command"; failed=1; }
        # Read to the end: a reader that leaves early makes the writer fail.
        "$pgark" "$command" --help | grep -- --output >/dev/null || { echo "$command --help"; failed=1; }
    done
    for program in gp_dump gp_dump_agent gp_restore gp_restore_agent gpcrondump gpdbrestore; do
        [ -s "$dir/$program.1" ] || { echo "no man page of $program"; failed=1; }
    done
    "$pgark" --completion bash | bash -n || failed=1
    "$pgark" --completion zsh >"$dir/_pgark" && zsh -n "$dir/_pgark" || failed=1
    rm -rf "$dir"
    return "$failed"
}

# A file is found by its name, with or without its suffix.
every_file()
{
    local file name failed=0
    while read -r file; do
        name=$(basename "$file")
        grep -qE "\`${name%.*}(\.[ch])?\`" ARCHITECTURE.md ||
            { echo "ARCHITECTURE.md says nothing of $file"; failed=1; }
    done < <(sources 'src/*.c' 'src/*.h' | grep '^src/')
    return "$failed"
}

no_leftovers()
{
    local file failed=0
    while read -r file; do
        [ -f "$file" ] || continue
        grep -nHE '[[:space:]]+$' "$file" && failed=1
        [ -z "$(tail -c 1 "$file")" ] || { echo "$file: no newline at the end"; failed=1; }
    done < <(sources '*.c' '*.h' '*.pl' '*.pm' '*.t' '*.sh' '*.build' '*.md' Makefile)
    sources '*.c' '*.h' '*.pl' '*.pm' '*.t' |
        xargs grep -nE '\b(TODO|FIXME|XXX)\b' && failed=1
    return "$failed"
}

step formatting formatting
step layers tools/check_layers
step leftovers no_leftovers
step every-file every_file
step scripts scripts
step clang-tidy tidy
step documentation documentation
exit "$status"
