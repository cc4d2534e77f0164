#!/bin/bash
# vmsend's three ways to a dump make the same file, and its bytes depend neither on the way nor on
# the threads: -F and makedumpfile -R, -F and vmrecv, DUMPFILE.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$MAKEDUMPFILE"
use_core k61-512m

threads=(0 1 2 7) file_threads=(7)
[[ -z $FULL ]] || threads+=(3 16) file_threads=("${threads[@]}")

one_way() { # CODEC LEVEL
    local what="$1 -d $2" args=(-q --compress="$1" -d "$2")
    ok "$what: vmsend VMCORE DUMPFILE" "$vmsend" "${args[@]}" --num-threads 0 "$core" "$T/dump"
    "$vmsend" "${args[@]}" --num-threads 0 -F "$core" >"$T/stream"
    is "$what: vmsend -F" $? 0
    ok "$what: makedumpfile -R takes the stream" rearrange "$T/stream" "$T/by-R"
    ok "$what: and makes the same of it" cmp "$T/dump" "$T/by-R"
    ok "$what: vmrecv takes the stream" receive "$T/stream" "$T/received"
    ok "$what: and makes the same of it" cmp "$T/dump" "$T/received"
    for n in "${threads[@]:1}"; do
        ok "$what: $n threads, the same stream" \
            same_stream "$T/stream" "$vmsend" "${args[@]}" --num-threads "$n" -F "$core"
    done
    for n in "${file_threads[@]}"; do
        ok "$what: $n threads, a file" "$vmsend" "${args[@]}" -f --num-threads "$n" "$core" "$T/again"
        ok "$what: $n threads, the same file" cmp "$T/dump" "$T/again"
    done
    rm -f "$T"/{dump,stream,by-R,received,again}
}

is "every codec is built in" "$(codecs | sort | xargs)" "lzo none snappy zlib zstd"
for codec in $(codecs); do
    for level in 0 1; do
        one_way "$codec" "$level"
    done
done
if [[ -n $FULL ]]; then
    for codec in zlib:6 zlib:9 zstd:3 zstd:12; do
        one_way "$codec" 1
    done
fi

"$vmsend" -q -d 1 "$core" "$T/dump"
for access in read mmap; do
    ok "--access=$access: the same file" \
        "$vmsend" -q -d 1 --access="$access" -f "$core" "$T/again"
    ok "--access=$access: the same bytes" cmp "$T/dump" "$T/again"
done
ok "short and interrupted reads: done" env LD_PRELOAD="$preload/badread.so" \
    BADREAD_FILE="$core" BADREAD_SHORT=5000 "$vmsend" -q -d 1 -f "$core" "$T/again"
ok "short and interrupted reads: the same bytes" cmp "$T/dump" "$T/again"
ok "--memory=1M: done, in line" "$vmsend" -q -d 1 --memory=1M --num-threads 7 -f "$core" "$T/again"
ok "--memory=1M: the same bytes" cmp "$T/dump" "$T/again"
(set -o pipefail; "$vmsend" -q -d 1 -F "$core" | "$vmrecv" -q "$T/piped")
is "vmsend | vmrecv: done" $? 0
ok "vmsend | vmrecv: the same bytes" cmp "$T/dump" "$T/piped"
done_testing
