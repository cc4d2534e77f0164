#!/bin/bash
# A host that wants all of a collector, and strangers that want nothing of it: others have their turn, and the log its
# end.
# shellcheck disable=SC2016,SC2154,SC2317 # collector.sh sets collector_pid and port; within calls functions; bash -c
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

core=$T/core
tests/tools/mkcore "$core" 2M
children() { cat "/proc/$collector_pid/task/$collector_pid/children"; }
# peer_from ADDRESS FILE STEP...: in the background; what it hears is in $T/FILE.
peer_from() {
    timeout 60 tests/tools/peer --from "$1" 127.0.0.1 "$port" "${@:3}" >"$T/$2" 2>/dev/null &
    pids+=($!)
}
heard() { within 30 grep -qs "$2" "$T/$1"; }
# id N: the identity of a dump.
id() { echo "dump_id=$(printf "$1%.0s" {1..64})"; }

# --- all places, and the queue

collect --plain-from 127.0.0.0/8 --max-sessions 2
for i in 1 2 3; do
    peer_from 127.0.0.2 "greedy$i" "hello:$(id $i)" until:WELCOME close
    ((i == 3)) || heard "greedy$i" WELCOME
done
ok "a host has all places, and waits for another" heard greedy3 "WAIT 1"
run timeout 60 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" --retry 1 "$core"
said "another host has its turn at once" 0 "complete and verified"
ok "and the first host is told what of" bash -c 'until grep -q "ABORT 2 10 .*127.0.0.2 has more than its share" "$1" "$2"; do sleep 0.1; done' - "$T/greedy1" "$T/greedy2"

# --- more than may wait: their turn is kept

collect --plain-from 127.0.0.0/8 --max-sessions 4 --max-waiting 1
holders=()
for i in 1 2 3 4; do
    peer_from "127.0.0.1$i" "holder$i" "hello:$(id $i)" until:WELCOME close
    holders+=($!)
    heard "holder$i" WELCOME
done
peer_from 127.0.0.20 waits "hello:$(id 5)" until:WELCOME close
heard waits "WAIT 1"
timeout 100 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" --retry 1 "$core" 2>"$T/away" &
sender=$!
pids+=("$sender")
ok "too many wait: a host is told that its turn is kept" within 30 grep -q "too many others wait for a place; the turn of 127.0.0.1 is kept" "$T/away"
# Another host comes later, and waits as soon as somebody may.
kill "${holders[0]}"
heard waits WELCOME
peer_from 127.0.0.21 later "hello:$(id 6)" until:WELCOME close
heard later "WAIT 1"
later=$!
kill "${holders[1]}" "${holders[2]}"
wait "$sender"
is "the sender's queue counts apart from --retry: it comes again, and is in" "$?" 0
hears "and its dump is there" "127.0.0.1: .*(complete and verified|is here already)"
kill "$later" "${holders[3]}" 2>/dev/null

# --- a dump has one session, so that who comes again doesn't wait for himself

collect --plain-from 127.0.0.0/8 --max-sessions 1
peer_from 127.0.0.2 first "hello:$(id 1)" until:WELCOME close
heard first WELCOME
peer_from 127.0.0.2 again "hello:$(id 1)" until:WELCOME close
ok "who comes again has its place" heard again WELCOME
ok "and the older session is told" heard first "ABORT 3 60 .*a newer link has taken the dump over"

# --- nothing stays of nothing

rm -rf "$T/dumps"
mkdir -p "$T/dumps/127.0.0.9/2026-01-01T00-00-00Z"
chmod -R 700 "$T/dumps"
collect --plain-from 127.0.0.0/8
is "a collector that starts removes what is empty" "$(find "$T/dumps" -mindepth 1)" ""
peer_from 127.0.0.2 short "hello:$(id 1)" until:WELCOME hangup
heard short WELCOME
gone() { [[ -z $(find "$T/dumps" -mindepth 1) && -z $(children) ]]; }
ok "of a session in which nothing came nothing stays" within 30 gone

# --- strangers

collect --plain-from 192.0.2.0/24
exec {silent}<>"/dev/tcp/127.0.0.1/$port"
peer_from 127.0.0.1 refused until:REFUSE close
ok "another network is refused before it says a word" heard refused "REFUSE 1 0 .*is in no network of --plain-from"
hears "and the operator is told" "127.0.0.1: is in no network of --plain-from"
is "and no process is started for it" "$(children)" ""
exec {silent}<&-

collect --plain-from 127.0.0.0/8
python3 - "$port" <<'END'
import socket, sys
for _ in range(60):
    link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    link.sendall(b"GET / HTTP/1.0\r\n\r\n")
    while link.recv(4096):
        pass
    link.close()
END
stop_collector
lines=$(grep -c ': no frame' "$log")
ok "60 connections that make no sense: a line for some of them ($lines)" test "$lines" -ge 20 -a "$lines" -lt 40
left_out=$(sed -nE 's/.*127.0.0.1: ([0-9]+) more lines like these were left out/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
is "and all others are counted" "$((lines + left_out))" 60

collect --plain-from 127.0.0.0/8
peer_from 127.0.0.3 probe hello:probe=1 until:WELCOME close
probe=${pids[-1]}
heard probe WELCOME
python3 - "$port" "$T/go" >"$T/crowd" <<'END' &
import os, socket, sys, time
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=("127.0.0.2", 0)) for _ in range(200)]
print("here", flush=True)
until = time.monotonic() + 60
while not os.path.exists(sys.argv[2]) and time.monotonic() < until:
    time.sleep(0.05)
END
pids+=($!)
crowd=$!
within 60 grep -qs here "$T/crowd"
hears "200 connections at once: its own give way" "127.0.0.2: gives way to others, not having said so far who it is"
rm -rf "$T/dumps"
run timeout 60 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" --retry 1 "$core"
said "another address has its turn" 0 "complete and verified"
ok "and a probe that is known stays" kill -0 "$probe"
is "the log has no line for each" "$(($(grep -c 127.0.0.2 "$log") < 100))" 1
: >"$T/go"
wait "$crowd"
done_testing
