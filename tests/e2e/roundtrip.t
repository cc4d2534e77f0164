#!/bin/bash
# Both programs once through all that they do with a whole vmcore, a small one: what the sanitizer builds run.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core k61-256m

# quiet NAME COMMAND...: it ends well, and says nothing.
quiet() {
    local what=$1
    shift
    run "$@"
    is "$what" "$rc $(head -c 3000 "$T/err")" "0 "
}

there_and_back() { # NAME OPTION...
    local what=$1
    shift
    quiet "$what: a file" "$vmsend" -q "$@" -f "$core" "$T/dump"
    "$vmsend" -q "$@" -F "$core" >"$T/stream" 2>"$T/err"
    is "$what: a stream" "$? $(head -c 3000 "$T/err")" "0 "
    quiet "$what: received" "$vmrecv" -q -f "$T/received" <"$T/stream"
    ok "$what: the same bytes" cmp "$T/dump" "$T/received"
}

for threads in 0 2; do
    for codec in $(codecs); do
        there_and_back "$codec, $threads threads" -d 1 --compress="$codec" --num-threads $threads
        quiet "$codec, $threads threads: checked" "$vmrecv" --check -q --num-threads $threads "$T/received"
    done
    there_and_back "-d 0, $threads threads" -d 0 --compress=none --num-threads $threads
    there_and_back "-d 31, $threads threads" -d 31 --num-threads $threads
    there_and_back "mmap, $threads threads" -d 1 --access=mmap --num-threads $threads
    there_and_back "little memory, $threads threads" -d 1 --memory=16M --num-threads $threads
done
quiet "vmrecv --info" "$vmrecv" --info "$T/received"
quiet "vmrecv --info --json" "$vmrecv" --info --json "$T/received"
quiet "vmsend --dump-dmesg" "$vmsend" -q --dump-dmesg "$core"
like "vmsend --dump-dmesg: the log" "$(<"$T/out")" "Linux version 6"
cp "$T/out" "$T/log"
quiet "vmsend --dump-dmesg FILE" "$vmsend" -q --dump-dmesg "$core" "$T/log-file"
ok "vmsend --dump-dmesg FILE: the same" cmp "$T/log" "$T/log-file"
is "vmsend --dump-dmesg FILE: is its owner's" "$(stat -c %a "$T/log-file")" 600
quiet "vmsend --mem-usage" "$vmsend" -q --mem-usage "$core"
for threads in 0 2; do
    head -c 100000000 "$core" >"$T/half"
    run "$vmsend" -q -d 1 --num-threads $threads -f "$T/half" "$T/dump"
    told "half a vmcore, $threads threads" 4 "cut short"
    run bash -c '"$@" >/dev/full' - "$vmsend" -q -d 1 --num-threads $threads -F "$core"
    told "a full device, $threads threads" 5 "No space"
done
done_testing
