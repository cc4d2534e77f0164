#!/bin/bash
# Dump levels, the essential set and the log on other kernels, memory layouts and page types, with the readers that
# know them; and --mem-usage of a running kernel. Takes long.
#
# DUMPS="NAME..." runs only those; FULL=1 takes away more keys of each.
# shellcheck source=tests/lib/matrix.sh
. "$(dirname "$0")/../lib/matrix.sh"
[[ -n ${DUMPS:-} ]] || DUMPS=$(scripts/lab/dump -l | awk '$1 !~ /-qemu|mdf/ { print $1 }' | xargs)

for dump in $DUMPS; do
    use_readers "$dump"
    passes "$dump: levels" VMSEND_DUMP="$dump" "${readers[@]}" REFERENCE="$(reference "$dump")" \
        REFUSES="$(refuses "$dump")" tests/e2e/levels.t
    passes "$dump: log" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/dmesg.t
    passes "$dump: cut streams" VMSEND_DUMP="$dump" "${readers[@]}" tests/e2e/essential.t
done

# A running kernel: the crash kernel of a guest is one too, and small. Its own memory changes while it is counted; the
# vmcore that it was made for doesn't.
if [[ -z ${NO_GUEST:-} ]]; then
    VMSEND_CACHE=$(dirname "$(dirname "$(scripts/lab/dump k61-512m)")")
    # shellcheck disable=SC2016 # the guest's
    MEM=512M CRASHKERNEL=160M FILL=random=4 FREE='' CRASH_FILES=$vmsend \
        CRASH_CMD='{ vmsend --mem-usage /proc/kcore; echo "status $?"; grep MemFree /proc/meminfo
            vmsend --mem-usage --json /proc/kcore >/tmp/json; echo "json $? $(wc -l </tmp/json)"
            vmsend --mem-usage /proc/vmcore >/tmp/vmcore; echo "vmcore $?"; } 2>&1 | nc 10.0.2.2 @PORT@' \
        scripts/lab/runvm 6.1 kcore >"$T/out" 2>"$T/err"
    is "a guest runs vmsend" "$?" 0
    got=$(<"$VMSEND_CACHE/runs/kcore/received")
    pages() { awk -v n="$1" '{ k = substr($0, 1, 16); sub(/ +$/, "", k) } k == n { print substr($0, 17) + 0; exit }' <<<"$got"; }
    like "--mem-usage /proc/kcore: prints a table" "$got" 'LEFT OUT BY'
    like "--mem-usage /proc/kcore: ends well, as JSON and of /proc/vmcore too" "$(grep -E '^(status|json|vmcore)' <<<"$got" | xargs)" \
        '^status 0 json 0 [1-9][0-9]+ vmcore 0$'
    is "--mem-usage /proc/kcore: says nothing else" "$(grep vmsend: <<<"$got")" ""
    is "--mem-usage /proc/kcore: the classes are all pages" "$(pages all)" \
        $(($(pages cache) + $(pages "cache, private") + $(pages user) + $(pages free) + $(pages offline) +
            $(pages poison) + $(pages kernel) + $(pages "kernel, zero")))
    free=$(sed -n 's/^MemFree: *\([0-9]*\) kB.*/\1/p' <<<"$got")
    ((difference = free / 4 - $(pages free))) || true
    ok "--mem-usage /proc/kcore: as many pages are free as the kernel says" test "${difference#-}" -le 1024
fi
done_testing
