#!/bin/bash
# QEMU's own ELF of a guest that runs: an odd header, segments off page boundaries, no panic. It goes
# all the ways that a kernel's vmcore goes.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$MAKEDUMPFILE" "${crash[0]}"
use_core k61-qemu
use_vmlinux

commands=(sys log 'ps' 'kmem -i' 'p init_uts_ns' 'struct task_struct init_task')
crash_says "$core" "${commands[@]}" >"$T/raw.crash"
like "crash opens the source" "$(<"$T/raw.crash")" "RELEASE: 6.1"
for way in "0 none 0 dump" "1 lzo 2 stream"; do
    read -r level codec threads forms <<<"$way"
    [[ -z $FULL ]] || forms="dump stream"
    what="$codec -d $level"
    args=(-q -d "$level" --compress="$codec" --num-threads "$threads")
    ok "$what: vmsend VMCORE DUMPFILE" "$vmsend" "${args[@]}" "$core" "$T/dump"
    "$vmsend" "${args[@]}" -F "$core" >"$T/stream"
    is "$what: vmsend -F" $? 0
    ok "$what: makedumpfile -R takes the stream" rearrange "$T/stream" "$T/by-R"
    ok "$what: and makes the same of it" cmp "$T/dump" "$T/by-R"
    ok "$what: vmrecv takes the stream" receive "$T/stream" "$T/received"
    ok "$what: and makes the same of it" cmp "$T/dump" "$T/received"
    ok "$what: every page is there and equal, and no other" pagecmp "$core" "$T/dump"
    ok "$what: vmrecv --check finds it whole" "$vmrecv" --check -q "$T/dump"
    for form in $forms; do
        crash_says "$T/$form" "${commands[@]}" >"$T/crash"
        ok "$what: crash tells the same of the $form" diff "$T/raw.crash" "$T/crash"
    done
    rm -f "$T"/{dump,stream,by-R,received}
done
done_testing
