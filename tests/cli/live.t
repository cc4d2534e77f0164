#!/bin/bash
# A kernel that runs on while it is dumped (/proc/kcore): several threads read it right, and the dump
# says what it is.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

ok "there is a core" tests/tools/mkcore --every 1 "$T/core" 6M

# With the kernel's reader of /proc/kcore in place of a file's own: a page for each open file.
# shellcheck disable=SC2317 # run calls it
as_kcore() { env LD_PRELOAD="$preload/onepage.so" ONEPAGE_FILE="$file" "$@"; }
file=$T/core

run "$vmsend" -q -d 1 --num-threads 0 "$T/core" "$T/want"
for threads in 0 2 4; do
    run as_kcore "$vmsend" -q -d 1 --num-threads $threads -f "$T/core" "$T/dump"
    ok "$threads threads read what one reads" cmp "$T/want" "$T/dump"
done
run as_kcore bash -c 'ulimit -n 12; exec "$@"' - "$vmsend" -q -d 1 --num-threads 16 -f "$T/core" "$T/dump"
ok "so it is where the file can't be opened for each thread" cmp "$T/want" "$T/dump"

# One with struct pages, which threads read.
file=$T/pages
ok "there is a core with struct pages" "$tools/bigcore" cache 512M "$file"
"$vmsend" --mem-usage --num-threads 0 "$file" >"$T/usage" 2>/dev/null
like "most of it is page cache" "$(<"$T/usage")" 'cache +5[0-9]{4} '
run as_kcore "$vmsend" --mem-usage --num-threads 4 "$file"
ok "--mem-usage tells the same by threads" cmp "$T/usage" "$T/out"

# --- what says that the kernel was running

file=$T/running
ok "there is a core with the note that /proc/kcore has" tests/tools/mkcore --running "$file" 1M
run as_kcore "$vmsend" -d 1 "$file" "$T/live"
like "the summary says that it ran on" "$rc $(grep ' pages: ' "$T/err")" '^0 .*, of a kernel that runs on$'
like "so does --info" "$("$vmrecv" --info "$T/live")" 'live +yes: the kernel ran on'
like "and as JSON" "$("$vmrecv" --info --json "$T/live")" '"live": true'
is "it is a dump as any other" "$("$vmrecv" --check "$T/live" 2>&1 | grep -c 'all right')" 1
run as_kcore "$vmsend" -q -d 1 --to "exec:$vmrecv --stdio --dir $T/store --host h" "$file"
like "so does meta.json" "$rc $(cat "$T"/store/h/*/meta.json)" '^0 .*"live": true'
run "$vmsend" -d 1 "$file" "$T/copy"
is "a file with that note is no running kernel" \
    "$rc $(grep -c 'runs on' "$T/err") $("$vmrecv" --info --json "$T/copy" | grep -c '"live": false')" "0 0 1"
done_testing
