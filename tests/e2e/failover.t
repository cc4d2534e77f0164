#!/bin/bash
# Destinations that are dead, refuse, run full or die on the way: the next one gets the dump; and where
# none is left, a part of it is left that opens, and the exit status says so.
# shellcheck disable=SC2154,SC2317 # port, collector_pid, log: collector.sh sets them; ok calls functions
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
use_core k61-512m
plain=(--plain-from 127.0.0.0/8)
what=(-d 31 --compress=none)

# Two servers at most: the second is of use where the first isn't.
"$vmsend" -q "${what[@]}" "$core" "$T/wanted" || exit 1
dead=127.0.0.1:1 # tcpmux: nobody is there

# send TO...: the dump to these, in turn.
send() {
    local to=() t
    for t; do to+=(--to "$t"); done
    run timeout 300 "$vmsend" "${what[@]}" "${options[@]}" "${to[@]}" "$core"
}
options=(--retry 2)
same() { cmp "$T/wanted" "$1"; }
the_dump() { find "$T/dumps" -name vmcore; }
the_part() { find "$T/dumps" -name vmcore.part; }
# is_part NAME FILE: it is a part of the dump, and right as far as it goes.
is_part() {
    run "$vmrecv" --check -q "$2"
    is "$1: vmrecv --check calls it incomplete" "$rc" 4
    ok "$1: each page that is there is right" tests/faults/partof "$T/wanted" "$2"
}

collect "${plain[@]}"
send "tcp://$dead" "tcp://127.0.0.1:$port"
said "a dead one first: the next one has it" 0 "complete and verified"
said "a dead one first: is told of" 0 "tcp://$dead: .*Connection refused"
ok "a dead one first: the dump is right" same "$(the_dump)"

send "tcp://$dead" "file:$T/local"
said "servers that are all dead: file: has it" 0 "$T/local: complete"
ok "servers that are all dead: the dump is right" same "$T/local"
rm -f "$T"/local*
mkdir "$T/local-dmesg.txt"
send "file:$T/local"
said "no place for the kernel log beside it: is told" 0 "the kernel log isn't beside it: $T/local-dmesg.txt exists"
ok "no place for the kernel log beside it: the dump is right" same "$T/local"
rm -rf "$T"/local*
send "tcp://$dead"
said "nothing else: exit status 3" 3 "Connection refused"

rm -rf "$T/dumps"
collect --plain-from 192.0.2.1
send "tcp://127.0.0.1:$port" "file:$T/local"
said "one that refuses: isn't tried again, file: has it" 0 "refuses: .*not tried again"
ok "one that refuses: the dump is right" same "$T/local"
rm -f "$T"/local*
send "tcp://127.0.0.1:$port"
said "one that refuses, and nothing else: exit status 5" 5 "refuses"

# --- out of space

# A disk that has room for the dump at its first page, and is filled by others while it comes.
part_bytes() { find "$T/small" -name vmcore.part -printf '%s\n' | sort -n | tail -n 1 | grep . || echo 0; }
# Some room is left, for small files.
fill() {
    dd if=/dev/zero of="$T/small/others" bs=1M status=none 2>/dev/null
    truncate -s -12M "$T/small/others"
}
fill_meanwhile() {
    local from
    rm -f "$T/small/others"
    from=$(part_bytes)
    (
        until (($(part_bytes) > from + (4 << 20))); do sleep 0.05; done
        fill
    ) &
    filler=$!
}
mkdir "$T/small"
if mount -t tmpfs -o size=160m,mode=700 none "$T/small" 2>/dev/null; then
    filler=''
    trap '[[ -z $filler ]] || kill "$filler" 2>/dev/null; end_all; umount "$T/small"; rm -rf "$T"' EXIT
    rm -rf "$T/dumps" && mkdir "$T/small/dumps" && ln -s "$T/small/dumps" "$T/dumps"
    collect "${plain[@]}" --timeout 5
    options=(--retry 2 --bwlimit 10M)
    fill_meanwhile
    send "tcp://127.0.0.1:$port" "file:$T/local"
    said "a full disk: the sender is told, and goes on" 0 "gives up: .*(No space|are free).*not tried again"
    ok "a full disk: the dump is right, elsewhere" same "$T/local"
    is "a full disk: nothing is published" "$(find "$T/small" -name vmcore)" ""
    is_part "a full disk: the part" "$(find "$T/small" -name vmcore.part)"
    rm -f "$T"/local*
    fill
    send "tcp://127.0.0.1:$port" "file:$T/local"
    said "a disk without room for the dump: the sender is told, and goes on" 0 "gives up: no space: .*are free"
    ok "a disk without room for the dump: it is right, elsewhere" same "$T/local"
    is_part "a disk without room for the dump: the part of before" "$(find "$T/small" -name vmcore.part)"
    rm -f "$T"/local*
    fill_meanwhile
    send "tcp://127.0.0.1:$port"
    said "a full disk and nothing else: exit status 4, and where the part is" 4 \
        "a part of the dump is there: .*/vmcore.part"
    is_part "a full disk and nothing else: the part" "$(find "$T/small" -name vmcore.part)"
    fill
    what+=(--volatile) # a tmpfs
    send "file:$T/small/local" "file:$T/local"
    said "a full disk here: the next one has it" 0 "what was written is in $T/small/local.part"
    ok "a full disk here: the dump is right, elsewhere" same "$T/local"
    stop_collector
    rm -f "$T/dumps" "$T"/local*
else
    skip "a full disk" "mounting a tmpfs isn't allowed"
fi

# --- one that dies on the way

# acknowledged: some of the dump is durable at the receiver.
acknowledged() { [[ $(find "$T/dumps" -name vmcore.segments -size +1k 2>/dev/null) ]]; }
# start_slowly TO...: in the background, at a rate that leaves time.
start_slowly() {
    local to=() t
    for t; do to+=(--to "$t"); done
    "$vmsend" "${what[@]}" --bwlimit 8M "${options[@]}" "${to[@]}" "$core" 2>"$T/err" &
    sender=$!
    pids+=("$sender")
    within 60 acknowledged
}
# kill_collector: with its sessions.
kill_collector() {
    local sessions
    sessions=$(pgrep -P "$collector_pid")
    # shellcheck disable=SC2086 # several
    kill -KILL "$collector_pid" $sessions
    wait "$collector_pid" 2>/dev/null
    collector_pid=''
}

rm -rf "$T/dumps"
collect "${plain[@]}"
options=(--retry 2)
start_slowly "tcp://127.0.0.1:$port" "file:$T/local"
kill_collector
wait "$sender"
rc=$?
said "one that dies on the way: file: has it" 0 "$T/local: complete"
ok "one that dies on the way: the dump is right" same "$T/local"
is_part "one that dies on the way: its part" "$(the_part)"
rm -f "$T"/local*

rm -rf "$T/dumps"
collect "${plain[@]}"
start_slowly "tcp://127.0.0.1:$port"
kill_collector
wait "$sender"
rc=$?
said "one that dies, and nothing else: exit status 4, and where the part is" 4 \
    "a part of the dump is there: .*/vmcore.part"
is_part "one that dies, and nothing else: the part" "$(the_part)"

# --- stopped and started again

rm -rf "$T/dumps"
collect "${plain[@]}"
options=()
start_slowly "tcp://127.0.0.1:$port"
old=$port
stop_collector
is "a collector that is stopped: ends in order" "$rc" 0
PORT=$old collect "${plain[@]}"
wait "$sender"
rc=$?
said "a collector that is stopped and started: goes on" 0 "goes on after checkpoint [1-9]"
ok "a collector that is stopped and started: the dump is right" same "$(the_dump)"

rm -rf "$T/dumps"
start_slowly "tcp://127.0.0.1:$port"
kill -KILL "$sender"
wait "$sender" 2>/dev/null
send "tcp://127.0.0.1:$port"
said "a sender that is killed and started: goes on" 0 "goes on after checkpoint [1-9]"
ok "a sender that is killed and started: the dump is right" same "$(the_dump)"
send "tcp://127.0.0.1:$port"
said "once more: it is there already" 0 "has the dump already"
is "once more: there is one" "$(the_dump | wc -l)" 1

# --- time

rm -rf "$T/dumps"
options=(--bwlimit 4M --deadline 8)
begin=$SECONDS
send "tcp://127.0.0.1:$port"
said "--deadline: exit status 4" 4 "the deadline is over"
ok "--deadline: is kept" test $((SECONDS - begin)) -le 20
hears "--deadline: the receiver is told" "the sender gives up: the deadline is over"
is_part "--deadline: the part" "$(the_part)"

options=(--timeout 2 --retry 1)
# A peer that takes connections, and says nothing.
exec {silent}< <(exec /usr/bin/python3 -c '
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(600)')
pids+=("$!")
read -r -u "$silent" mute
send "tcp://127.0.0.1:$mute" "file:$T/local"
said "--timeout: a silent server is given up" 0 "nothing came for 2 s"
ok "--timeout: the dump is right, elsewhere" same "$T/local"
done_testing
