#!/bin/bash
# Each fuzz target goes through its corpus: what once crashed it, and what it has to tell apart.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    run "$BUILD/tests/fuzz/$name" "tests/fuzz/corpus/$name"
    if ((rc == 0)); then
        pass "$name: $(sed -n 's/.*: //p' "$T/out")"
    else
        fail "$name: exit status $rc" "$(tail -n 30 "$T/err")"
    fi
done
done_testing
