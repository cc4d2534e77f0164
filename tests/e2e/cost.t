#!/bin/bash
# What a page costs, in instructions and system calls: counts, which are the same on a busy machine, where a
# time would not be. Bounds are half as much again as what was counted when they were set, so that other
# libraries and compilers pass, and a second copy of each page, or a call for each, does not.
#
# Costs of a page are the difference of two cores, so that starting costs nothing. Without compression: the
# codecs' own are their libraries'.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need valgrind strace
# Without the instruction that copies any length: it counts once on one CPU, and for each byte on another.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS,-FSRM:glibc.cpu.x86_rep_movsb_threshold=1073741824

# instructions COMMAND...: that it ran in user space, all threads. Nothing if it failed: so do calls.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>"$T/said" >/dev/null &&
        sed -n 's/.*Collected : *//p' "$T/said"
}

# calls COMMAND...: its system calls, all threads.
calls() {
    strace -f -qq -c -o "$T/calls" "$@" >/dev/null 2>&1 &&
        awk '$NF == "total" { print $4 }' "$T/calls"
}

# into FILE COMMAND...: with the stream FILE as its input, into a file that isn't there yet, with $sums.
sums=none
into() {
    rm -f "$T/received"
    "${@:2}" "$vmrecv" -q "--sums=$sums" "$T/received" <"$1"
}

# at_most WHAT SMALL LARGE BOUND: a page of those that LARGE has more costs at most BOUND / 1000.
at_most() {
    local cost=$((${3:-0} - ${2:-0}))
    if [[ -z $2 || -z $3 || -z $more || $cost -le 0 ]]; then
        fail "$1" "nothing was counted ('$2', '$3')"
        return
    fi
    cost=$((cost * 1000 / more))
    diag <<<"$1: $cost / 1000, bound $4"
    ok "$1: at most $4 / 1000" test "$cost" -le "$4"
}

# Half of the pages are zero, a third of the others is random.
tests/tools/mkcore --every 2 "$T/small" 16M
tests/tools/mkcore --every 2 "$T/large" 48M
more=$((32 * 256))
for size in small large; do
    "$vmsend" -q -d 0 --compress=none --num-threads 0 -F "$T/$size" >"$T/$size.raw" 2>/dev/null
done

send=("$vmsend" -q --compress=none -F --num-threads)
at_most "level 1, in line: instructions of a page" \
    "$(instructions "${send[@]}" 0 -d 1 "$T/small")" "$(instructions "${send[@]}" 0 -d 1 "$T/large")" 1300000
at_most "level 0, in line: instructions of a page" \
    "$(instructions "${send[@]}" 0 -d 0 "$T/small")" "$(instructions "${send[@]}" 0 -d 0 "$T/large")" 1650000
at_most "level 0, 2 threads: instructions of a page" \
    "$(instructions "${send[@]}" 2 -d 0 "$T/small")" "$(instructions "${send[@]}" 2 -d 0 "$T/large")" 1650000
at_most "level 0, in line: system calls of a page" \
    "$(calls "${send[@]}" 0 -d 0 "$T/small")" "$(calls "${send[@]}" 0 -d 0 "$T/large")" 48
at_most "level 0, 2 threads: system calls of a page" \
    "$(calls "${send[@]}" 2 -d 0 "$T/small")" "$(calls "${send[@]}" 2 -d 0 "$T/large")" 60
at_most "vmrecv: instructions of a page" \
    "$(into "$T/small.raw" instructions)" "$(into "$T/large.raw" instructions)" 210000
# The CRC-32C of each byte, 8 of them an instruction: what counts here has no wider ones.
sums=crc32c
at_most "vmrecv, with sums: instructions of a page" \
    "$(into "$T/small.raw" instructions)" "$(into "$T/large.raw" instructions)" 1900000
at_most "vmrecv: system calls of a page" \
    "$(into "$T/small.raw" calls)" "$(into "$T/large.raw" calls)" 50

# The filter, on struct pages of a real kernel.
use_core k61-512m
summary=("$vmsend" --mem-usage --num-threads 0 "$core")
more=$("${summary[@]}" 2>/dev/null | awk '$1 == "all" { print $2 }')
at_most "filter: instructions of a page" 0 "$(instructions "${summary[@]}")" 250000

# All of it, against a loop that only finds pages, reads, compresses and writes: a tenth more at the most. With
# the codec that leaves the most to others.
more=$(instructions "$tools/../bench/bareloop" "$core" 31 lzo)
at_most "level 31 with lzo, in line: instructions for one of the bare loop" \
    0 "$(instructions "$vmsend" -q -d 31 --compress=lzo --num-threads 0 -F "$core")" 1100
done_testing
