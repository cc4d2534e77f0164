#!/bin/bash
# What vmsend takes of memory is bounded by what it says beforehand, and doesn't grow with the
# machine's, its bitmap (a bit for each page) aside.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"

# peak_of CORE OPTION...: KiB at once, as `peak`; what it promised, as `promise`.
peak_of() {
    local source=$1
    shift
    "$tools/peak" "$T/peak" "$vmsend" -v -d 1 "$@" -F "$source" 2>"$T/err" >/dev/null ||
        fail "vmsend $* of $(basename "$source")" "$(<"$T/err")"
    peak=$(<"$T/peak")
    promise=$(sed -n 's/.*at most \([0-9.]*\) MiB of memory.*/\1/p' "$T/err" | awk '{ print int($1 * 1024) }')
    diag <<<"$(basename "$source") $*: at most $peak KiB at once, promised $promise KiB"
}

# The same bytes of a file over and over, one page of 256 not zero.
tests/tools/mkcore --every 256 --repeat 64M "$T/1G" 1G
tests/tools/mkcore --every 256 --repeat 64M "$T/64G" 64G
# KiB of bitmap that 63 GiB more take, in memory; and the bitmaps go out in pieces of at most 1 MiB, which
# that of 1 GiB doesn't fill.
bitmap=$((63 * 1024 * 1024 / 32768)) piece=$((1024 - 32))
for args in "--num-threads 2 -l" ${FULL:+"--num-threads 0 -z" "--num-threads 7 -c"}; do
    # shellcheck disable=SC2086 # words
    peak_of "$T/1G" $args
    small=$peak
    ok "$args, 1 GiB: no more than promised" test "$peak" -le "$promise"
    # shellcheck disable=SC2086
    peak_of "$T/64G" $args
    ok "$args, 64 GiB: no more than promised" test "$peak" -le "$promise"
    more=$((peak - small - bitmap - piece))
    ok "$args: 63 GiB more cost their bitmap and at most 512 KiB else ($more)" test "$more" -le 512
done
rm "$T/64G"

# Many pages of which each is compressed: nothing is kept of them.
use_core k61-1g
large=$core
use_core k61-512m
# The kernel adds up what each CPU has counted only roughly: the same run differs by up to 384 KiB on two of them. Where
# one pair of runs is too far apart, the least of three is what counts.
for args in "--num-threads 0 -z" "--num-threads 2 -z"; do
    small='' most=''
    for _ in 1 2 3; do
        # shellcheck disable=SC2086 # words
        peak_of "$core" $args
        small=$((peak < ${small:-peak + 1} ? peak : small))
        # shellcheck disable=SC2086
        peak_of "$large" $args
        most=$((peak < ${most:-peak + 1} ? peak : most))
        ((most - small > 512)) || break
    done
    ok "$args, 1 GiB: no more than promised" test "$peak" -le "$promise"
    ok "$args: twice the pages cost no more than 512 KiB" test $((most - small)) -le 512
done
peak_of "$large" --num-threads 0 --access=mmap
ok "--access=mmap: no more than promised" test "$peak" -le "$promise"
done_testing
