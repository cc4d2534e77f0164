#!/bin/bash
# Sessions of a real vmcore: the same bytes by every way, whatever is killed on the way; what is there of a dump that
# broke off opens in crash.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "${crash[0]}"
use_core k61-512m
use_vmlinux
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
# Some segments of 16 MiB; a link that leaves time to acknowledge some.
level=1 rate=20M dir=$T/dumps
listen() { collect --plain-from 127.0.0.0/8 --timeout 10s; }

# send [OPTION...]: by a session to the collector; takes the place of the shell that calls it.
send() { exec "$vmsend" -l -d "$level" --timeout 10s "$@" --to "tcp://127.0.0.1:${by:-$port}" "$core"; }

# start BYTES: a sender in the background whose link is held there.
start() {
    hold "$1"
    by=$held_port send --bwlimit "$rate" 2>"$T/err" &
    sender=$!
}

# dumps PATTERN: files of that name that there are.
dumps() { find "$dir" -name "$1" 2>/dev/null; }

# is_whole NAME: there is one dump, complete, verified, and the same as a file written here.
is_whole() {
    is "$1: one dump, and no part" "$(dumps vmcore | wc -l) $(dumps vmcore.part | wc -l)" "1 0"
    ok "$1: the same bytes" cmp "$T/ref" "$(dumps vmcore)"
    ok "$1: vmrecv --check" "$vmrecv" --check -q "$(dumps vmcore)"
    ok "$1: meta.json says so" grep -q '"status": "complete"' "$(dumps meta.json)"
    ok "$1: nobody else can read it" test -z "$(find "$dir" -mindepth 1 -perm /077)"
    rm -rf "$dir"
}

ok "a file" "$vmsend" -q -l -d "$level" "$core" "$T/ref"
size=$(stat -c %b "$T/ref")
((size *= 512))

# --- in fair weather ---
"$vmsend" -q -l -d "$level" --stream=session "$core" | "$vmrecv" -q "$T/oneway"
is "one way: ends well" "${PIPESTATUS[*]}" "0 0"
ok "one way: the same bytes" cmp "$T/ref" "$T/oneway"
"$vmsend" --dump-dmesg "$core" >"$T/dmesg"
ok "one way: the log lies beside it" cmp "$T/dmesg" "$T/oneway-dmesg.txt"
"$vmsend" -q -l -d "$level" "$core" | "$vmrecv" -q "$T/pipe"
ok "a pipe: the same bytes" cmp "$T/ref" "$T/pipe"
rm "$T/oneway" "$T/pipe"

listen
(send) 2>"$T/err"
rc=$?
is "tcp: ends well" "$rc" 0
like "tcp: says that it is verified" "$(<"$T/err")" 'complete and verified'
ok "tcp: the log lies beside it" cmp "$T/dmesg" "$(dumps vmcore-dmesg.txt)"
(send) 2>"$T/err"
rc=$?
like "tcp: a second time: it is there" "$rc $(<"$T/err")" '^0 .*has the dump already'
is_whole "tcp"

# --- the receiver's process is killed ---
start $((size / 2))
ok "receiver killed: half has come" await_held
pkill -KILL -P "$collector_pid"
wait "$sender"
is "receiver killed: the sender ends well" $? 0
like "receiver killed: over a second link" "$(<"$T/err")" 'over 2 links'
is_whole "receiver killed"

# --- the collector is killed with all it has, and started again ---
start $((size / 3))
ok "collector killed: a third has come" await_held
kill -STOP "$collector_pid" # or it could take the next link before its turn
pkill -KILL -P "$collector_pid"
kill -KILL "$collector_pid"
PORT=$port listen
wait "$sender"
is "collector killed: the sender ends well" $? 0
is_whole "collector killed"

# --- the sender is killed, and started again; what there is meanwhile opens ---
bt=$(printf 'bt\nquit\n' | timeout 600 "${crash[@]}" -s "$vmlinux" "$core" 2>&1 | tr -s ' ' | grep -aE '^ ?#[0-9]+ ')
for percent in 10 50 90; do
    start $((size * percent / 100))
    what="sender killed at $percent %"
    await_held || fail "$what: that much comes"
    kill -KILL "$sender"
    wait "$sender" 2>/dev/null
    ok "$what: the receiver lets go of the part" within 60 grep -q ' has [0-9]* of ' "$log"
    : >"$log"
    part=$(dumps vmcore.part)
    is "$what: nothing is published" "$(dumps vmcore)" ""
    run "$vmrecv" --check -q "$part"
    is "$what: --check calls it incomplete" "$rc" 4
    said=$(printf 'sys\nbt\nlog\nquit\n' | timeout 600 "${crash[@]}" -s --zero_excluded "$vmlinux" "$part" 2>&1 | tr -s ' ')
    like "$what: crash shows the panic" "$said" 'PANIC: "'
    is "$what: crash shows its backtrace" "$(grep -aE '^ ?#[0-9]+ ' <<<"$said")" "$bt"
done
(send) 2>"$T/err"
rc=$?
is "sender started again: ends well" "$rc" 0
ok "sender started again: goes on" within 60 grep -q 'after a resume' "$log"
is_whole "sender started again"
done_testing
