#!/bin/bash
# Other kernels, memory layouts and page types, with the readers of a newer suite: each dump of the lab goes through
# the tests that stand in tests/e2e. Takes long: each dump is made first if the cache doesn't have it.
#
# DUMPS="NAME..." runs only those.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"

if ! newer=$(scripts/lab/newer-tools 2>"$T/lab"); then
    fail "a newer suite's readers are there" "$(tail -n 5 "$T/lab")"
    done_testing
fi
# Those that panic; QEMU's come below.
[[ -n ${DUMPS:-} ]] || DUMPS=$(scripts/lab/dump -l | awk '$1 !~ /^k61-qemu|mdf|^k61-(512m|1g|256m)$/ { print $1 }' | xargs)

# passes NAME VARIABLE=VALUE... TEST
passes() {
    local name=$1
    shift
    if env "$@" >"$T/out" 2>"$T/err"; then
        pass "$name: $(grep -c '^ok' "$T/out") tests"
    else
        fail "$name" "$(grep '^not ok' "$T/out")
$(head -c 4000 "$T/err")"
    fi
}

for dump in $DUMPS; do
    readers=(CRASH="$newer/crash --no_modules" PYTHON="$newer/python3")
    passes "$dump: pages" VMSEND_DUMP="$dump" tests/e2e/pages.t
    passes "$dump: readers" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/readers.t
done
passes "QEMU's ELF with virtual addresses" VMSEND_DUMP=k61-qemu-paging tests/e2e/qemu.t
passes "streams of a newer makedumpfile" MAKEDUMPFILE="$newer/makedumpfile" tests/e2e/makedumpfile.t
passes "a newer makedumpfile -R" MAKEDUMPFILE="$newer/makedumpfile" tests/e2e/streams.t
done_testing
