#!/bin/bash
# --compress=auto in sessions of a real vmcore: what is chosen follows the link, the pages are the same whatever was
# chosen, readers open what is mixed, and a resume goes on with other codecs.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "${crash[0]}"
use_core k61-512m
use_vmlinux
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
level=1 dir=$T/dumps commands=(sys bt 'log -T' 'kmem -i')
collect --plain-from 127.0.0.0/8 --timeout 10s

# send [OPTION...]: by a session to the collector; takes the place of the shell that calls it.
send() { exec "$vmsend" -d "$level" --timeout 10s "$@" --to "tcp://127.0.0.1:${by:-$port}" "$core"; }
the_dump() { find "$dir" -name vmcore; }

# share CODEC: in percent, of the pages that the last dump has compressed.
share() {
    "$vmrecv" --info --json "$(the_dump)" | "$PYTHON" -c 'import json, sys
codecs = json.load(sys.stdin)[0]["codecs"]
del codecs["raw"]
print(100 * codecs[sys.argv[1]] // max(1, sum(codecs.values())))' "$1"
}

# is_right NAME REF: there is one dump, whose pages are the core's, and as many as in the one that was written here.
is_right() {
    ok "$1: vmrecv --check" "$vmrecv" --check -q "$(the_dump)"
    run pagecmp --excluded "$core" "$(the_dump)"
    is "$1: the same pages" "$rc $(<"$T/out")" "0 $(pagecmp --excluded "$core" "$2")"
}

ok "a file" "$vmsend" -q -l -d "$level" "$core" "$T/ref"
size=$(($(stat -c %b "$T/ref") * 512))
if ! "$vmsend" --version | grep -q ' lzo .*[^-]zstd'; then
    skip "the mix" "this build lacks a codec of it"
    done_testing
fi

# --- what makes no session is the same every time ---
ok "auto into a file" "$vmsend" -q --compress=auto -d "$level" "$core" "$T/auto"
ok "auto into a file: is lzo" cmp "$T/ref" "$T/auto"
rm "$T/auto"

# --- a slow link ---
level=31
"$vmsend" -q -l -d "$level" "$core" "$T/ref31"
(send --bwlimit 3M) 2>"$T/err"
rc=$?
is "a slow link: ends well" "$rc" 0
like "a slow link: the summary has the mix" "$(<"$T/err")" 'compressed \([0-9]+ % lzo, [0-9]+ % zstd\)'
strong=$(share zstd)
ok "a slow link: takes the strong codec for most pages ($strong %)" test "$strong" -ge 66
ok "a slow link: sends less" test "$(stat -c %b "$(the_dump)")" -lt "$(stat -c %b "$T/ref31")"
is_right "a slow link" "$T/ref31"
crash_says "$T/ref31" "${commands[@]}" >"$T/want"
crash_says "$(the_dump)" "${commands[@]}" >"$T/got"
ok "a slow link: crash says the same of it" diff -u "$T/want" "$T/got"
rm -rf "$dir"

# --- a fast one: on a busy machine the receiver may be slow for once ---
level=1
for _ in 1 2 3 4 5; do
    rm -rf "$dir"
    (send) 2>"$T/err"
    rc=$?
    fast=$(share lzo)
    ((rc == 0 && fast < 66)) || break
done
is "a fast link: ends well" "$rc" 0
ok "a fast link: takes the fast codec for most pages ($fast %)" test "$fast" -ge 66
is_right "a fast link" "$T/ref"
(send) 2>"$T/err"
rc=$?
like "a fast link: a second time: it is there" "$rc $(<"$T/err")" '^0 .*has the dump already'
rm -rf "$dir"

# --- the sender is killed, and started again where the link is another ---
hold $((size / 2))
by=$held_port send --bwlimit 8M 2>"$T/err" &
sender=$!
ok "another link: a part has come" await_held
kill -KILL "$sender"
wait "$sender" 2>/dev/null
ok "another link: the receiver lets go of the part" within 60 logged ' has [0-9]* of '
(send) 2>"$T/err"
rc=$?
is "another link: ends well" "$rc" 0
like "another link: goes on where it was" "$(<"$T/err")" 'goes on after checkpoint'
is_right "another link" "$T/ref"
rm -rf "$dir"

# --- the receiver is killed: what wasn't acknowledged is chosen anew ---
hold $((size / 2))
by=$held_port send --bwlimit 20M 2>"$T/err" &
sender=$!
ok "the link is cut: a part has come" await_held
pkill -KILL -P "$collector_pid"
wait "$sender"
is "the link is cut: ends well" $? 0
like "the link is cut: over a second one" "$(<"$T/err")" 'over 2 links'
is_right "the link is cut" "$T/ref"
rm -rf "$dir"

# --- what may be mixed ---
(send --codecs=zlib --num-threads 0) 2>"$T/err"
rc=$?
is "--codecs=zlib: ends well" "$rc" 0
is "--codecs=zlib: mixes nothing else" "$(share zlib)" 100
is_right "--codecs=zlib" "$T/ref"
done_testing
