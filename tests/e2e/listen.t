#!/bin/bash
# The collector among peers that are many, slow, silent, foreign or hostile: each is bounded, none
# keeps the others from their turn.
# shellcheck disable=SC2016,SC2119,SC2120,SC2317 # bash -c has its own arguments; send may have some
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
need "$MAKEDUMPFILE" strace

use_core k61-512m
real=$core core=$T/core
tests/tools/mkcore "$core" 2M
plain=(--plain-from 127.0.0.1)

# send OPTION...: one dump over plain TCP, one try; what it says is in $T/err.
send() { run timeout 120 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" --retry 1 "$@" "$core"; }
peer() { timeout 120 tests/tools/peer 127.0.0.1 "$port" "$@"; }
# idle: the collector has no child left.
idle() { [[ -z $(pgrep -P "$collector_pid") ]]; }
dumps() { find "$T/dumps" -name vmcore | wc -l; }

# --- who may send without TLS

while IFS='|' read -r address network url; do
    # A machine without IPv6 can't be tried.
    [[ $address != \[::* || -e /proc/net/if_inet6 ]] || continue
    ADDRESS=$address collect --plain-from "$network"
    run timeout 60 "$vmsend" -d 1 --to "tcp://$url:$port" --retry 1 "$core"
    said "--plain-from $network at $address, from $url: done" 0 "complete and verified"
    ADDRESS=$address collect --plain-from 192.0.2.0/24 --plain-from 2001:db8::/32
    run timeout 60 "$vmsend" -d 1 --to "tcp://$url:$port" --retry 1 "$core"
    said "another network at $address, from $url: the sender is told, once" 5 \
        "the receiver refuses: .* is in no network of --plain-from; not tried again"
    hears "another network at $address, from $url: the collector says so" "is in no network of --plain-from"
    within 30 idle
    is "another network at $address, from $url: leaves nothing" "$(find "$T/dumps" -mindepth 2 -maxdepth 2 | wc -l)" 1
    rm -rf "$T/dumps"
done <<'END'
127.0.0.1|127.0.0.0/8|127.0.0.1
127.0.0.1|0.0.0.0/0|127.0.0.1
127.0.0.1|::ffff:127.0.0.1|127.0.0.1
[::1]|::1|[::1]
[::1]|::/0|[::1]
[::]|127.0.0.1|127.0.0.1
END
run timeout 60 "$vmrecv" --listen 127.0.0.1:0 "${plain[@]}" --dir "$core/dumps"
told "a --dir that can't be: ends before anybody sends" 1 "$core/dumps: can't make it: Not a directory"

# --- flattened streams of others

ok "makedumpfile -F" bash -c '"$1" -F -l -d 31 "$2" >"$3" 2>/dev/null' - "$MAKEDUMPFILE" "$real" "$T/flat"
collect "${plain[@]}"
tests/tools/say 127.0.0.1 "$port" <"$T/flat" >/dev/null
hears "makedumpfile's stream: taken" "complete, [0-9]+ pages"
run "$vmrecv" -q "$T/wanted" <"$T/flat"
ok "makedumpfile's stream: the same file as through a pipe" cmp "$T/wanted" "$T"/dumps/127.0.0.1/*/vmcore
is "modes are the owner's alone" "$(find "$T/dumps" -printf '%y%m\n' | sort -u | xargs)" "d700 f600"
: >"$log"
head -c 10000000 "$T/flat" | tests/tools/say 127.0.0.1 "$port" >/dev/null
hears "a stream that is cut: said so, and kept" "cut short.*vmcore.part"
collect --plain-from 192.0.2.1
tests/tools/say 127.0.0.1 "$port" <"$T/flat" >"$T/out"
hears "makedumpfile's stream from elsewhere: refused" "127.0.0.1: is in no network of --plain-from"

# --- peers that are silent, slow, or gone

rm -rf "$T/dumps"
collect "${plain[@]}" --timeout 2
peer idle:1 close >"$T/silent" &
pids+=($!)
peer drip:60 hello close >"$T/drip" &
pids+=($!)
peer hello until:WELCOME close >"$T/mute" &
mute=$!
send
said "beside peers that say nothing: done at once" 0 "complete and verified"
hears "who stops after HELLO: given up" "127.0.0.1: nothing came for 2 s"
wait "$mute"
is "who stops after HELLO: is closed" "$?" 0
hears "who says nothing: given up" "127.0.0.1: said nothing"
ok "no process is left" within 60 idle
: >"$log"
printf 'GET / HTTP/1.0\r\n\r\n' | tests/tools/say 127.0.0.1 "$port" >"$T/out"
hears "who speaks something else: said so" "127.0.0.1: no frame"
printf '\026\003\001\002\000\001' | tests/tools/say 127.0.0.1 "$port" >"$T/out"
hears "who speaks TLS: said so" "127.0.0.1: speaks TLS, and this listens without"

# --- more than there are places

rm -rf "$T/dumps"
collect "${plain[@]}" --max-sessions 1
# Each keeps its place until it is killed. holders: their pids, in order.
holders=()
for i in 1 2 3; do
    steps=(hello:dump_id="$(printf "$i%.0s" {1..64})") first=WELCOME
    ((i == 1)) || steps+=(until:WAIT) first="WAIT $((i - 1))"
    # Killed below, so it is no function: that would be a shell of its own, and its child would stay.
    timeout 120 tests/tools/peer 127.0.0.1 "$port" "${steps[@]}" until:WELCOME close >"$T/$i" &
    holders+=($!)
    within 30 grep -qs "$first" "$T/$i"
done
pids+=("${holders[@]}")
is "beyond --max-sessions: each is told its place" "$(head -qn 1 "$T/2" "$T/3" | xargs)" "WAIT 1 WAIT 2"
timeout 120 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" --retry 60 "$core" 2>"$T/waits" &
sender=$!
ok "vmsend says that it waits" within 30 grep -q "number 3 in the queue" "$T/waits"
run timeout 60 "$vmsend" --probe --to "tcp://127.0.0.1:$port"
is "a probe needs no place" "$rc" 0
sed "s/CRASHTIME=1700000000/CRASHTIME=1700000001/" "$core" >"$T/core.other" # another dump: of one there is one session
core=$T/core.other send --to "file:$T/other"
said "a queue that doesn't get shorter: the next destination has the dump" 0 "$T/other: complete"
said "a queue that doesn't get shorter: is said" 0 "its queue didn't get shorter for 1 s"
kill "${holders[0]}"
ok "a place is free: the first that waits has it" within 30 grep -q WELCOME "$T/2"
for i in 2 1; do
    ok "vmsend sees the queue get shorter: $i" within 30 grep -q "number $i in the queue" "$T/waits"
    kill "${holders[3 - i]}"
done
wait "$sender"
rc=$?
cp "$T/waits" "$T/err"
said "and so on, in order" 0 "complete and verified"
ok "no process is left" within 60 idle

# --- many at once: all complete, in little memory each

rm -rf "$T/dumps" "$T/flat" "$T/wanted"
n=220 places=200 # some have to wait
collect "${plain[@]}" --max-sessions "$places"
senders=()
for ((i = 0; i < n; i++)); do
    sed "s/CRASHTIME=1700000000/CRASHTIME=$((1700000000 + i))/" "$core" >"$T/core.$i"
    "$vmsend" -q -d 0 --bwlimit 64K --to "tcp://127.0.0.1:$port" "$T/core.$i" 2>>"$T/many" &
    senders+=($!)
done
peak=0
bad=0
for pid in "${senders[@]}"; do
    while kill -0 "$pid" 2>/dev/null; do
        for kid in $(pgrep -P "$collector_pid"); do
            kb=$(awk '/^RssAnon:/ { print $2 }' "/proc/$kid/status" 2>/dev/null)
            ((${kb:-0} <= peak)) || peak=$kb
        done
        sleep 0.02
    done
    wait "$pid" || bad=$((bad + 1))
done
is "$n senders at once, $places places: all complete" "$bad, $(dumps) dumps" "0, $n dumps"
ok "$n senders at once: every dump is whole" bash -c 'find "$1" -name vmcore -print0 | xargs -0 "$2" --check -q' - "$T/dumps" "$vmrecv"
echo "# a session took at most $peak KiB of memory of its own"
ok "a session's own memory is below 12 MiB" test "$peak" -gt 0 -a "$peak" -lt 12288

# --- connections that only come

rm -rf "$T/dumps"
collect "${plain[@]}"
python3 - "$port" >"$T/crowd" <<'END' &
import socket, sys, time
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(300)]
print("here", flush=True)
time.sleep(60)
END
pids+=($!)
within 60 grep -qs here "$T/crowd"
hears "300 connections that say nothing: the oldest give way" "gives way to others"
send
said "300 connections that say nothing: a sender has its turn" 0 "complete and verified"
kill "${pids[-1]}"

# --- descriptors run out: no spinning, and it goes on

rm -rf "$T/dumps"
stop_collector
: >"$log"
(
    ulimit -n 12
    exec "$vmrecv" --listen "127.0.0.1:0" --dir "$T/dumps" "${plain[@]}"
) 2>>"$log" &
collector_pid=$!
pids+=("$collector_pid")
within 30 logged 'listening on'
port=$(sed -nE 's/.*listening on .*:([0-9]+),.*/\1/p' "$log")
timeout 60 strace -qq -c -e trace=accept4,ppoll -o "$T/calls" -p "$collector_pid" &
tracer=$!
ok "no descriptors: its system calls are counted" within 30 grep -q '^TracerPid:.*[1-9]' "/proc/$collector_pid/status"
python3 - "$port" <<'END'
import socket, sys, time
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(30)]
time.sleep(5)
END
hears "no descriptors: said so" "Too many open files: no connection is taken for 1 s"
kill -INT "$tracer"
wait "$tracer"
calls=$(awk '$NF == "accept4" || $NF == "ppoll" { sum += $4 } END { print sum + 0 }' "$T/calls")
ok "no descriptors: it doesn't spin ($calls calls)" test "$calls" -gt 0 -a "$calls" -lt 500
send
said "and then goes on" 0 "complete and verified"

# --- a child that is killed, and a collector that ends and comes back

rm -rf "$T/dumps"
collect "${plain[@]}"
peer hello until:WELCOME close >"$T/out" &
pids+=($!)
within 30 grep -qs WELCOME "$T/out"
kill -SEGV "$(pgrep -P "$collector_pid")"
hears "a session that crashes: reported" "127.0.0.1: its session was ended by signal 11"

tests/tools/mkcore --every 1 "$T/long" 24M
collect "${plain[@]}"
hold $((8 << 20))
timeout 300 "$vmsend" -d 0 --compress=none --to "tcp://127.0.0.1:$held_port" "$T/long" 2>"$T/err" &
sender=$!
await_held
within 60 bash -c '[[ -n $(find "$1" -name vmcore.part -size +4M) ]]' - "$T/dumps"
stop_collector
is "SIGTERM ends the collector: exit status 0" "$rc" 0
ok "and no session outlives it" within 30 bash -c '[[ -z $(find "$1" -name vmcore.part -exec fuser {} + 2>/dev/null) ]]' - "$T/dumps"
hears "the session's operator is told" "stopped by signal 15"
like "the part is kept" "$(cd "$T/dumps/127.0.0.1" && ls ./*)" "vmcore.part"
ok "the sender is told, and when to come again" within 30 grep -q "the receiver gives up: stopped by signal 15" "$T/err"
PORT=$port collect "${plain[@]}"
wait "$sender"
rc=$?
said "the sender goes on where it was" 0 "complete and verified"
run "$vmrecv" --check -q "$T"/dumps/*/*/vmcore
is "and the dump is whole" "$rc $(<"$T/err")" "0 "
done_testing
