#!/bin/bash
# Machines with much memory, made up (tests/tools/bigcore): the pages that are left out are those that come of
# looking at each page by itself, and makedumpfile's; and what the dump takes of memory.
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

# --- memory: the page bitmap is kept packed

# begin_dump MIB LEVEL CORE BYTES: in that memory, for a reader that goes away after so many bytes, which is behind the
# bitmaps: by then all memory was taken. What it took at most is `peak`, in KiB.
begin_dump() {
    # shellcheck disable=SC2016 # the inner shell's
    run bash -c '"$@" | head -c "$0" >/dev/null; exit "${PIPESTATUS[0]}"' "$4" \
        "$tools/peak" "$T/peak" "$vmsend" -q -d "$2" --num-threads 2 --memory="$1M" -F "$3"
    peak=$(<"$T/peak")
}
# bounded NAME MIB
bounded() {
    told "$1: memory was enough" 3 "Broken pipe$"
    ok "$1: no more than $2 MiB of memory ($((peak / 1024)))" test "$peak" -le $(($2 * 1024))
}
"$tools/bigcore" -n 4 cache 256G "$T/core"
run "$vmsend" -q -d 18 --num-threads 2 --memory=12M "$T/core" "$T/dump"
told "a bitmap that is too much for --memory: says what would do" 1 \
    '^vmsend: --memory: 1[4-9] MiB would do: the page bitmap takes 2\.[0-9] MiB, and 1\.[0-9] MiB are left for it$'
is "and nothing is written" "$(compgen -G "$T/dump*")" ""
enough=$(sed 's/.*--memory: \([0-9]*\) MiB would do.*/\1/' "$T/err")
begin_dump "$enough" 18 "$T/core" 20M
bounded "with that" "$enough"
begin_dump $((enough - 1)) 18 "$T/core" 20M
told "with 1 MiB less it isn't" 1 "$enough MiB would do"

# Plain, the bitmap would take 32 MiB; of 12 TiB 384.
"$tools/bigcore" -n 4 idle 1T "$T/core"
begin_dump 20 31 "$T/core" 100M
bounded "1 TiB" 20
if [[ -n ${FULL:-} ]]; then
    for kind in idle cache thp; do
        "$tools/bigcore" -n 4 "$kind" 12T "$T/core"
        begin_dump 128 31 "$T/core" 900M
        bounded "12 TiB, $kind" 128
    done
fi
done_testing
