#!/bin/bash
# A session that is cut for good, at a tenth, a half and nine tenths: what the receiver has is a part that
# says so, is right, and opens in crash.
# shellcheck disable=SC2154 # port, bt: collector.sh and shown.sh set them
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
need "${crash[0]}"
use_core k61-512m
use_vmlinux
# shellcheck source=tests/lib/shown.sh
. tests/lib/shown.sh
like "crash shows where it panicked" "$bt" '(crash_kexec|panic|sysrq_handle_crash)'

# cut LEVEL: all of a dump at each share of it.
cut() {
    local level=$1 size end share bytes what got part sent
    "$vmsend" -v -l -d "$level" "$core" "$T/wanted" 2>"$T/err"
    # What holds the set without the code, rounded up, and what a run may hold back behind it.
    end=$(sed -nE "s/.*code in the first ([0-9]+)(\.[0-9]+)? MiB.*/\1/p" "$T/err")
    end=$(((end + 2) << 20))
    size=$(stat -c %s "$T/wanted")
    for share in 10 50 90; do
        what="-d $level cut at $share %" bytes=$((size * share / 100))
        rm -rf "$T/dumps"
        collect --plain-from 127.0.0.0/8
        exec {link}< <(exec tests/faults/cutlink "$port" "$bytes")
        read -r -u "$link" cut_port
        run timeout 300 "$vmsend" -l -d "$level" --retry 1 --to "tcp://127.0.0.1:$cut_port" "$core"
        sent=$rc
        # What came before the cut may have to be read yet, which SIGTERM would end.
        hears "$what: the receiver lets go of the part" 'vmcore\.part has [0-9]+ of'
        stop_collector
        exec {link}<&-
        is "$what: nothing is published" "$(find "$T/dumps" -name vmcore)" ""
        part=$(find "$T/dumps" -name vmcore.part)
        # Without an acknowledgement, vmsend can't know that something is there.
        ok "$what: vmsend says that not all is there" test "$sent" = 3 -o "$sent" = 4
        run "$vmrecv" --check -q "$part"
        is "$what: vmrecv --check calls the part incomplete" "$rc" 4
        ok "$what: each page that is there is right" tests/faults/partof "$T/wanted" "$part"
        if ((level != 1 && bytes < end)); then
            skip "$what: crash shows all" "the essential pages aren't whole there"
            continue
        fi
        got=$(shown "$part")
        is "$what: crash shows all" "$got" "panic bt log"
    done
    rm -f "$T/wanted"
}
cut 1
cut 31
done_testing
