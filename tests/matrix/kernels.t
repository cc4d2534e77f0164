#!/bin/bash
# Other kernels, memory layouts and page types, with the readers of a newer suite: each dump of the lab goes through
# the tests that stand in tests/e2e. Takes long: each dump is made first if the cache doesn't have it.
#
# DUMPS="NAME..." runs only those.
# shellcheck source=tests/lib/matrix.sh
. "$(dirname "$0")/../lib/matrix.sh"
# Those that panic; QEMU's come below.
[[ -n ${DUMPS:-} ]] || DUMPS=$(scripts/lab/dump -l | awk '$1 !~ /-qemu|mdf|^k61-(512m|1g|256m)$/ { print $1 }' | xargs)

for dump in $DUMPS; do
    use_readers "$dump"
    passes "$dump: pages" VMSEND_DUMP="$dump" tests/e2e/pages.t
    passes "$dump: readers" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/readers.t
done
passes "QEMU's ELF with virtual addresses" VMSEND_DUMP=k61-qemu-paging tests/e2e/qemu.t
passes "QEMU's ELF with virtual addresses: log" VMSEND_DUMP=k61-qemu-paging tests/e2e/dmesg.t
passes "QEMU's ELF: log" VMSEND_DUMP=k61-qemu tests/e2e/dmesg.t
# makedumpfile can't read QEMU's ELF: the kernel's own structures decide.
for dump in a61-qemu a612-qemu; do
    use_readers "$dump"
    passes "$dump: levels" VMSEND_DUMP="$dump" "${readers[@]}" REFERENCE=none tests/e2e/levels.t
    passes "$dump: pages" VMSEND_DUMP="$dump" tests/e2e/pages.t
    passes "$dump: readers" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/readers.t
    passes "$dump: log" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/dmesg.t
done
passes "streams of a newer makedumpfile" MAKEDUMPFILE="$newer/makedumpfile" tests/e2e/makedumpfile.t
passes "a newer makedumpfile -R" MAKEDUMPFILE="$newer/makedumpfile" tests/e2e/streams.t
done_testing
