#!/bin/bash
# An arm64 kernel's vmcore, through the tests that stand beside this one: the dump levels against the arm64
# makedumpfile and against the kernel's own structures, every page, what drgn says of the dump, the log, and cut
# streams. tests/matrix has the other kernels of arm64.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core a61-512m

if ! reference=$(scripts/lab/foreign arm64 sid makedumpfile 2>"$T/lab"); then
    fail "the lab has arm64's makedumpfile" "$(tail -n 5 "$T/lab")"
    done_testing
fi
passes "$name: levels" VMSEND_DUMP="$name" REFERENCE="$reference" tests/e2e/levels.t
passes "$name: pages" VMSEND_DUMP="$name" tests/e2e/pages.t
passes "$name: readers" VMSEND_DUMP="$name" tests/e2e/readers.t
passes "$name: log" VMSEND_DUMP="$name" tests/e2e/dmesg.t
passes "$name: cut streams" VMSEND_DUMP="$name" tests/e2e/essential.t

"$vmsend" -q -d 31 -f "$core" "$T/dump"
run "$vmrecv" --info "$T/dump"
is "$name: vmrecv --info names the machine" "$rc $(sed -n 's/^ *machine *//p' "$T/out")" "0 aarch64"
done_testing
