#!/bin/bash
# crash and drgn tell the same of the dump, and crash of the stream itself, as of the raw vmcore.
#
# SLABS=1: drgn walks the slabs, too; crash does where it can.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$PYTHON"
use_core k61-1g
use_vmlinux

commands=(sys bt 'bt -a' log 'ps' 'kmem -i' 'kmem -s' files mount 'p init_uts_ns' 'p linux_banner'
    'struct task_struct init_task' 'struct task_struct' mod dev irq timer 'foreach bt' 'foreach files' 'kmem -S')
"$vmsend" -q -d 1 -l "$core" "$T/lzo"
"$vmsend" -q -d 0 -z "$core" "$T/zstd"
"$vmsend" -q -d 1 -c -F "$core" >"$T/stream"
"$vmsend" -q -d 31 "$core" "$T/filtered"

if has_crash; then
    crash_says "$core" "${commands[@]}" >"$T/raw.crash"
    for want in 'PANIC: ' 'crash_kexec|crash_save_vmcoreinfo|machine_kexec' 'TOTAL MEM' 'release = "' 'comm = "' 'Kernel panic|sysrq'; do
        ok "crash tells of the vmcore: $want" grep -qE "$want" "$T/raw.crash"
    done
    for form in lzo zstd stream filtered; do
        crash_says "$T/$form" "${commands[@]}" >"$T/crash"
        ok "crash tells the same of the dump ($form)" diff "$T/raw.crash" "$T/crash"
    done
else
    skip "crash tells the same of the dumps" "this machine's crash doesn't open those of $name's"
fi

drgn_says() { timeout 1800 "$PYTHON" tests/tools/drgn-says ${SLABS:+--slabs} "$vmlinux" "$1"; }
drgn_says "$core" >"$T/raw.drgn" 2>&1
is "drgn reads the vmcore" "$?" 0
like "drgn tells of its tasks" "$(<"$T/raw.drgn")" "kthreadd"
for form in lzo zstd filtered; do
    drgn_says "$T/$form" >"$T/drgn" 2>&1
    ok "drgn tells the same of the dump ($form)" diff "$T/raw.drgn" "$T/drgn"
done
done_testing
