#!/bin/bash
# check.sh BUILD PART... - build, run the named parts of the tests, and close with one line of counts.
#
#   unit    the unit tests
#   san     the same under the address, undefined-behaviour and thread sanitizers, and the suites of
#           PGARK_SAN_SUITES and PGARK_TSAN_SUITES with a pgark built for the first two and the last
#   tap     the suites of test/tap, against servers made for each of them
#   fault   the suites of test/fault: kills, full disks, cut connections, clocks
#
# All parts run, even when one fails; the exit code tells. PROVE_FLAGS are handed to prove.
set -uo pipefail

build=$1
shift
cd "$(dirname "$0")/.." || exit 1

programs=0
suites=0
tests=0
failures=()
# Suites wait for servers now and then: one more than there are processors.
jobs=${JOBS:-$(($(nproc) + 1))}
log=$(mktemp)
reasons=$(mktemp)
trap 'rm -f "$log" "$reasons"' EXIT

say()
{
    printf '== %s\n' "$*"
}

build_in()
{
    local dir=$1
    shift
    tools/setup.sh "$dir" "$@" && ninja -C "$dir" --quiet && tools/extension.sh build "$dir"
}

# run_unit DIR NAME - by meson, whose limits of time are meant for machines that do nothing else; its summary has the counts.
run_unit()
{
    meson test -C "$1" --no-rebuild --print-errorlogs --timeout-multiplier 10 --num-processes "$jobs" 2>&1 | tee "$log"
    [ "${PIPESTATUS[0]}" = 0 ] || failures+=("$2")
    local counted
    counted=$(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$log" | tail -n 1)
    programs=$((programs + ${counted:-0}))
}

# run_suites NAME BUILD FILE... - prove, as a user that may run servers.
run_suites()
{
    local name=$1 dir=$2
    shift 2
    tools/as_user.sh -m -b "$dir" -- prove -j"$jobs" --timer ${PROVE_FLAGS:-} "$@" 2>&1 | tee "$log"
    if [ "${PIPESTATUS[0]}" != 0 ]; then
        failures+=("$name")
        # Long before the end by now; whoever sees only that wants to know.
        grep -E '^not ok|Failed test|\.(t|pm) line [0-9]|^# +(got|expected|.*doesn.t match)' "$log" | cut -c1-300 |
            head -n 40 >>"$reasons"
    fi
    local counted
    counted=$(sed -n 's/^Files=\([0-9]*\), Tests=\([0-9]*\),.*/\1 \2/p' "$log" | tail -n 1)
    counted=${counted:-0 0}
    suites=$((suites + ${counted% *}))
    tests=$((tests + ${counted#* }))
}

for part in "$@"; do
    case $part in
        unit)
            say "unit tests"
            if build_in "$build"; then run_unit "$build" unit; else failures+=("build"); fi
            ;;
        san)
            # -O1: unoptimized code is so much slower that the races looked for would not come up.
            # What is found ends the program: agents have an environment without any options of a sanitizer.
            say "unit tests under ASan and UBSan"
            if build_in "$build-asan" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
                -Dc_args=-fno-sanitize-recover=all
            then
                UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_unit "$build-asan" asan
                say "suites with a pgark under ASan and UBSan"
                UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
                    run_suites "asan suites" "$build-asan" \
                    ${PGARK_SAN_SUITES:-test/tap/t/00[124567]*.t test/fault/t/*.t}
            else
                failures+=("asan build")
            fi
            say "unit tests under TSan"
            if build_in "$build-tsan" -Db_sanitize=thread -Db_lundef=false -Doptimization=1; then
                TSAN_OPTIONS=halt_on_error=1 run_unit "$build-tsan" tsan
                say "suites with a pgark under TSan"
                TSAN_OPTIONS=halt_on_error=1:exitcode=66 \
                    run_suites "tsan suites" "$build-tsan" \
                    ${PGARK_TSAN_SUITES:-test/tap/t/00[14]*.t test/fault/t/001_kill.t}
            else
                failures+=("tsan build")
            fi
            ;;
        tap)
            say "suites against servers"
            if build_in "$build"; then run_suites tap "$build" test/tap/t/; else failures+=("build"); fi
            ;;
        fault)
            say "suites of faults"
            if build_in "$build"; then run_suites fault "$build" test/fault/t/; else failures+=("build"); fi
            ;;
        *)
            echo "check.sh: unknown part \"$part\"" >&2
            exit 1
            ;;
    esac
done

if [ ${#failures[@]} -gt 0 ]; then
    [ ! -s "$reasons" ] || { say "why suites failed" && cat "$reasons"; }
    printf 'check: FAILED: %s (%d unit programs passed, %d suites with %d tests run)\n' \
        "${failures[*]}" "$programs" "$suites" "$tests"
    exit 1
fi
printf 'check: all passed: %d unit programs, %d suites with %d tests\n' \
    "$programs" "$suites" "$tests"
