#!/bin/bash
# fuzz.sh BUILD - run every fuzzer for SECONDS_EACH seconds, starting from its corpus.
set -euo pipefail

build=$1
seconds=${SECONDS_EACH:-60}
cd "$(dirname "$0")/.."

CC=clang tools/setup.sh "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
ninja -C "$build" --quiet
for fuzzer in "$build"/test/fuzz/fuzz_*; do
    [ -x "$fuzzer" ] && [ -f "$fuzzer" ] || continue
    name=${fuzzer##*/fuzz_}
    found=$build/corpus/$name
    mkdir -p "$found" "$build/crashes"
    printf '== %s for %s s\n' "$name" "$seconds"
    # New inputs go to the build directory; the checked-in corpus stays as it is.
    "$fuzzer" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/crashes/$name-" "$found" "test/fuzz/corpus/$name"
done
