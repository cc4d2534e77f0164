#!/bin/bash
# Machines with much memory, made up (tests/tools/bigcore): the pages that are left out are those that come of
# looking at each page by itself, and makedumpfile's.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$MAKEDUMPFILE"

for kind in idle cache thp huge; do
    core=$T/$kind
    "$tools/bigcore" -n 4 "$kind" 2G "$core"
    # 31 leaves out most blocks whole; 2 and 8 keep some kinds of them.
    for level in 31 ${FULL:+2 8 16 27}; do
        ok "$kind, -d $level: one set of pages, however it is made" "$tools/filterways" "$core" "$level"
    done
    for level in 31 27 ${FULL:+2 8 16}; do
        run "$vmsend" -q -l -d "$level" -f "$core" "$T/ours"
        is "$kind, -d $level: the filter is at one with the kernel's counters" "$rc $(<"$T/err")" "0 "
        "$MAKEDUMPFILE" -l -d "$level" -f "$core" "$T/theirs" >"$T/out" 2>&1
        is "$kind, -d $level: the pages are makedumpfile's" "$(tests/tools/bitmaps "$T/ours" "$T/theirs" 2>&1)" same
    done
    rm -f "$core" "$T"/{ours,theirs}
done

# Kernels that tell otherwise what a block is.
for series in 5.4 6.6 6.12 7.1; do
    "$tools/bigcore" -k "$series" -n 2 huge 2G "$T/core"
    ok "$series: one set of pages, however it is made" "$tools/filterways" "$T/core" 31
done
done_testing
