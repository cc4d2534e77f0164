#!/bin/bash
# What has to arrive goes first: a stream cut at a tenth of its length still opens, and shows the panic, its
# backtrace and the log, once the essential pages are there (vmsend --verbose says how much that is).
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core k61-512m
use_vmlinux
cuts=(10 30 50 70 90)

# shellcheck source=tests/lib/shown.sh
. tests/lib/shown.sh

# From the handler of the crash down to system call or idle.
has_crash && reader=crash || reader=drgn
ok "$reader shows a backtrace of the vmcore" test "$(wc -l <<<"$bt")" -ge 8
like "$reader shows where it panicked" "$bt" '(crash_kexec|panic|sysrq_handle_crash)'

# cut LEVEL: cuts the stream of that level; those that hold the essential pages must show all.
cut() {
    local level=$1 size end p what got
    "$vmsend" -v -l -d "$level" -F "$core" >"$T/stream" 2>"$T/err"
    is "-d $level: vmsend" $? 0
    like "-d $level: says how large the essential set is" "$(<"$T/err")" \
        'essential: [1-9][0-9]* pages, [0-9.]+ MiB, in the first [0-9.]+ MiB of the stream'
    size=$(stat -c %s "$T/stream")
    diag <<<"$name -d $level: stream of $((size >> 20)) MiB; $(grep -a essential: "$T/err")"
    # What holds the set without the code, rounded up, and what a run may hold back behind it.
    end=$(sed -nE "s/.*code in the first ([0-9]+)(\.[0-9]+)? MiB.*/\1/p" "$T/err")
    end=$(((end + 2) << 20))
    for p in "${cuts[@]}"; do
        what="-d $level cut at $p %"
        rm -f "$T"/cut*
        head -c $((size * p / 100)) "$T/stream" >"$T/head"
        run "$vmrecv" -q "$T/cut" <"$T/head"
        is "$what: vmrecv keeps what came" "$rc $(ls "$T"/cut*)" "4 $T/cut.part
$T/cut.part.sums"
        got=$(shown "$T/cut.part")
        diag <<<"$name $what: ${got:-nothing}"
        if ((level == 1 || size * p / 100 >= end)); then
            is "$what: $reader shows all" "$got" "panic bt log"
        else
            skip "$what: $reader shows all" "the essential pages aren't whole there; it shows: ${got:-nothing}"
        fi
    done
    rm -f "$T"/{stream,head} "$T"/cut*
}
cut 1
cut 31
done_testing
