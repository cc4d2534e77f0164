#!/bin/bash
# A dump on a file system in memory is lost by a reboot: it is refused, said, and the next destination has its turn,
# unless --volatile allows it.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh disable=SC2016
. "$(dirname "$0")/../lib/tap.sh"
core=$T/core
tests/tools/mkcore "$core" 2M
need_mounts "file systems in memory"
# in_memory COMMAND...: with file systems in memory mounted in $T.
in_memory() {
    run unshare -m bash -c '
        set -e
        cd "$1" && shift
        mkdir -p tmpfs ramfs overlay lower disk
        mount -t tmpfs none tmpfs
        mount -t ramfs none ramfs
        mkdir "tmpfs/up per" tmpfs/work
        mount -t overlay none -o "lowerdir=lower,upperdir=tmpfs/up per,workdir=tmpfs/work" overlay 2>/dev/null ||
            mount -t tmpfs none overlay
        "$@" || rc=$?
        rm -f */dump.sums
        echo tmpfs/d* ramfs/d* overlay/d* disk/d*
        exit ${rc:-0}' - "$T" "$@"
}
none="tmpfs/d* ramfs/d* overlay/d* disk/d*"
for kind in tmpfs ramfs overlay; do
    in_memory "$vmsend" -q -d 1 --to "file:$T/$kind/dump" "$core"
    like "file: on $kind: is refused, and said" "$rc $(<"$T/err")" \
        "^5 .*vmsend: $T/$kind/dump would be in memory \((an overlay on memory|tmpfs|ramfs)\), where a reboot loses it: mount a disk there, or say --volatile$"
    is "file: on $kind: nothing was written" "$(<"$T/out")" "$none"
    in_memory "$vmsend" -q --probe --to "file:$T/$kind/dump"
    like "--probe, file: on $kind: says so" "$rc $(<"$T/err")" "^5 .*$T/$kind/dump would be in memory"
    in_memory "$vmsend" -q -d 1 --to "file:$T/$kind/" --to "file:$T/disk/dump" "$core"
    is "file: on $kind: the next destination has the dump" "$rc $(<"$T/out")" "0 ${none%'*'}ump"
    rm -f "$T"/disk/*
done
in_memory "$vmsend" -q -d 1 --volatile --to "file:$T/tmpfs/dump" "$core"
is "--volatile: allows it" "$rc $(<"$T/out")" "0 tmpfs/dump ${none#* }"
in_memory "$vmsend" -q -d 1 "$core" "$T/tmpfs/dump"
is "a DUMPFILE in memory, on a machine that is up: nobody minds" "$rc $(<"$T/out")" "0 tmpfs/dump ${none#* }"
# As in a crash kernel: the core is /proc/vmcore.
crash_kernel() {
    in_memory bash -c 'mount -t tmpfs none /proc && cp "$1" /proc/vmcore && mkdir /proc/self && shift && "$@"' - "$core" "$@"
}
crash_kernel "$vmsend" -q -d 1 --access read /proc/vmcore "$T/tmpfs/dump"
like "a DUMPFILE in memory in a crash kernel: is refused" "$rc $(<"$T/err")" "^5 .*$T/tmpfs/dump would be in memory .tmpfs"
crash_kernel "$vmsend" -q -d 1 --access read --volatile /proc/vmcore "$T/tmpfs/dump"
is "a DUMPFILE in memory in a crash kernel, --volatile: is written" "$rc $(<"$T/out")" "0 tmpfs/dump ${none#* }"
done_testing
