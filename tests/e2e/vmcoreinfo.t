#!/bin/bash
# A real vmcore with notes of VMCOREINFO that are none, or of another boot or kernel, or with no note at all: the
# dump is the same as of the vmcore as it was, and crash and drgn open it. tests/unit/kernel/find_info.c has all cases.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "${crash[0]}" "$PYTHON"
use_core k61-512m
use_vmlinux

"$vmsend" -q -l -d 31 "$core" "$T/ref"
# facts DUMP: what doesn't depend on where VMCOREINFO was found.
facts() { "$vmrecv" --info "$1" | grep -E 'release|crash time|level|pages|=' | grep -v 'file'; }

cp --reflink=auto "$core" "$T/core"
# with NOTES REGEX: of a vmcore with those the dump is what it should be, and a line says what was taken.
with() {
    local said=$2
    head -c 16384 "$core" | dd of="$T/core" conv=notrunc status=none # the headers, and so the notes
    # shellcheck disable=SC2086 # words
    tests/tools/renote "$T/core" $1
    run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
    told "$name, notes \"$1\": says which is taken, and why" 0 "$said"
    is "$name, notes \"$1\": the same dump" "$(facts "$T/dump")" "$(facts "$T/ref")"
}
drgn_opens() {
    like "$name, notes \"$1\": drgn opens it" \
        "$(timeout 600 "$PYTHON" tests/tools/drgn-says "$vmlinux" "$T/dump" 2>&1)" 'kthreadd'
}

with 'boot right' 'of 2 VMCOREINFO notes number 2 is taken, .*name and page tables are where it says'
crash+=(--minimal) # all that depends on VMCOREINFO, and a quarter of the time
like "$name, notes \"boot right\": crash opens it" "$(crash_says "$T/dump" log)" 'Kernel panic|sysrq'
with 'right kernel zeros' 'of 3 VMCOREINFO notes number 1 is taken'
drgn_opens 'right kernel zeros'
with '' 'VMCOREINFO is taken from memory, that of .*: the vmcore has no note of it'
with boot 'VMCOREINFO is taken from memory, that of .*: the vmcore.s note, of .*, is of another kernel or boot'
drgn_opens boot
run "$vmsend" --dump-dmesg "$T/core"
ok "$name: --dump-dmesg finds the log, too" grep -q 'Linux version' "$T/out"

# Without any copy of it in memory.
with kernel 'VMCOREINFO is taken from memory'
grep -abo 'OSRELEASE=[^4]' "$T/core" | cut -d: -f1 | while read -r at; do
    tests/tools/peek poke "$T/core" "$at" 58
done
run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
like "$name: a note of another kernel alone isn't used" "$rc $(<"$T/err")" \
    "^0 .*VMCOREINFO isn't used: the vmcore's note, of 4\.9\.0-of-old, is of another kernel or boot.*dump level 1 is served in place of 31"
is "$name: the dump has no VMCOREINFO then" "$("$vmrecv" --info "$T/dump" | grep -c OSRELEASE=)" 0
done_testing
