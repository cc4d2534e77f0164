#!/bin/bash
# Pages that can't be read are lost alone: all others are there, the dump says that it is incomplete,
# and the exit status is 0 with a warning, or 4 with --strict.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core "${1:-k61-512m}"

# Where pages of the core lie in the file: the load that has most of them.
read -r off paddr filesz < <(peek sizes "$core" | awk '
    { split($1, o, "="); split($2, p, "="); split($3, f, "=") }
    f[2] > most { most = f[2]; best = o[2] " " p[2] " " f[2] }
    END { print best }')

# From this page of the load on, COUNT pages that no other load holds as well: the kernel's image is
# in two loads, and lies where it likes in the memory.
alone() { # PAGE COUNT
    local page=$1 l
    while :; do
        for l in "${others[@]}"; do
            read -r from to <<<"$l"
            if ((page < to && page + $2 > from)); then
                page=$to
                continue 2
            fi
        done
        echo "$page"
        return
    done
}
mapfile -t others < <(peek sizes "$core" | awk -v paddr="$paddr" '
    { split($2, p, "="); split($3, f, "=") }
    p[2] != paddr { print int((p[2] - paddr) / 4096), int((p[2] + f[2] - paddr) / 4096) + 1 }')

# One byte in a page; the end of one and the beginning of the next; a long range, whose ends are in the
# middle of pages; the last page of the load. As "FIRST LAST" of the load's pages.
end=$(((filesz - 1) / 4096))
one=$(alone 100 1) two=$(alone $((one + 100)) 2) long=$(alone $((two + 100)) 1025)
lost=("$one $one" "$two $((two + 1))" "$long $((long + 1024))" "$end $end")
ranges=$((off + one * 4096 + 17))+1,$((off + (two + 1) * 4096 - 1))+2
ranges+=,$((off + long * 4096 + 2048))+$((1024 * 4096)),$((off + end * 4096))+1
want=$(for l in "${lost[@]}"; do
    echo "missing $((paddr / 4096 + ${l% *}))-$((paddr / 4096 + ${l#* }))"
done)
count=$((1 + 2 + 1025 + 1))

bad() { env LD_PRELOAD="$preload/badread.so" BADREAD_FILE="$core" BADREAD_RANGES="$ranges" BADREAD_LOG="$T/log" "$@"; }

for way in "read 0" "read 3" "mmap 0" "mmap 3"; do
    read -r access threads <<<"$way"
    what="--access=$access, $threads threads"
    rm -f "$T/log"
    run bad "$vmsend" -q -d 1 --access="$access" --num-threads "$threads" -f "$core" "$T/dump"
    told "$what: warns, and is done" 0 "warning: $count pages could not be read.*incomplete"
    ok "$what: the preloaded library was asked" grep -q "^${access/read/pread} " "$T/log"
    run pagecmp --missing "$core" "$T/dump"
    is "$what: all other pages are there and equal" "$rc $(<"$T/err")" "0 "
    is "$what: just those pages are missing" "$(grep missing "$T/out" | grep -v ram)" "$want"
    is "$what: the status has the incomplete bit" $(($(peek status "$T/dump") & 8)) 8
    pfn=$((paddr / 4096 + one))
    is "$what: the descriptor is zero, that of its neighbour isn't" \
        "$(peek desc "$T/dump" $pfn $((pfn + 1)) | awk '{ print ($2 > 0), ($3 > 0) }' | xargs)" "0 0 1 1"
    run "$vmrecv" --check -q "$T/dump"
    is "$what: vmrecv --check tells of missing pages, and of nothing else" "$rc" 4
    [[ -e $T/first ]] || cp "$T/dump" "$T/first"
    ok "$what: the same bytes as the other ways" cmp "$T/first" "$T/dump"
done

run bad "$vmsend" -q -d 1 --strict -f "$core" "$T/dump"
told "--strict: exit status 4" 4 "$count pages could not be read"
ok "--strict: the dump is there" pagecmp --missing "$core" "$T/dump"

# Sent, the incomplete bit comes behind all else: in a second main header.
bad "$vmsend" -q -d 1 -F "$core" >"$T/stream" 2>/dev/null
is "stream: done" $? 0
is "stream: the last record is a main header" "$(peek records "$T/stream" | tail -n 2 | head -n 1 | cut -d ' ' -f 2-)" "0 464"
run "$vmrecv" -q "$T/received" <"$T/stream"
told "stream: vmrecv warns" 0 "warning: .*could not read $count of the pages"
ok "stream: vmrecv makes the same file" cmp "$T/dump" "$T/received"
ok "stream: makedumpfile -R makes the same file" rearrange "$T/stream" "$T/by-R"
ok "stream: the same bytes" cmp "$T/dump" "$T/by-R"
done_testing
