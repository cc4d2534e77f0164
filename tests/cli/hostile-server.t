#!/bin/bash
# Servers that show signs of life and never have the dump: each is left in the end, though every link to it looks well,
# and the next destination has the dump.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/processes.sh
. "$(dirname "$0")/../lib/processes.sh"
need python3

tests/tools/mkcore "$T/core" 1M
"$vmsend" -q -d 1 --compress=none "$T/core" "$T/wanted" || exit 1

# All at once: each waits, and none needs a CPU for it.
names=() wants=() senders=()
# hostile NAME WANT OPTIONS STEP...: a server by these steps, again and again (tests/tools/peer), and a vmsend that is to
# say WANT of it.
hostile() {
    local n=${#names[@]} options port
    names+=("$1") wants+=("$2")
    read -r -a options <<<"$3"
    shift 3
    tests/tools/peer --listen accept until:HELLO "$@" again >"$T/$n.peer" 2>&1 &
    pids+=("$!")
    within 60 test -s "$T/$n.peer"
    read -r port <"$T/$n.peer"
    timeout 100 "$vmsend" -d 1 --compress=none --timeout 2 "${options[@]}" --to "tcp://127.0.0.1:$port" \
        --to "file:$T/$n.dump" "$T/core" 2>"$T/$n.err" &
    senders+=("$!")
    pids+=("$!")
}
to_go=(welcome until:TOTALS go:0:0)
hostile "heartbeats, never WELCOME" "no WELCOME came for" "--retry 1" beats
hostile "heartbeats, never GO" "no GO came for" "--retry 1" welcome beats
hostile "reads everything, never an ACK" "no acknowledgement came for" "--retry 1 --bwlimit 20K" "${to_go[@]}" beats
hostile "acknowledges everything, never DONE" "no DONE came for" "--retry 1" "${to_go[@]}" until:END ack:2 beats
hostile "acknowledges checkpoint 1 and closes" "closed|reset|Broken pipe" "--retry 1" \
    "${to_go[@]}" until:END ack:1 hangup
hostile "acknowledges checkpoint 1 and gives up, for now" "gives up: so it says" "--retry 1" \
    "${to_go[@]}" until:CHECKPOINT ack:1 abort:2:1 close
hostile "another digest each time" "another digest; not tried again" "--retry 10m" "${to_go[@]}" until:END ack:2 "done" close
hostile "places that fall for ever" "within --queue-time; not tried again" "--retry 10m --queue-time 2" falls:100000

for n in "${!names[@]}"; do
    wait "${senders[n]}"
    is "${names[n]}: file: has the dump" "$?" 0
    like "${names[n]}: it is said why" "$(<"$T/$n.err")" "${wants[n]}"
    ok "${names[n]}: the dump is right" cmp "$T/wanted" "$T/$n.dump"
done
links=$(grep -c '^HELLO' "$T/4.peer")
ok "acknowledges checkpoint 1 and closes: pauses grow ($links links)" test "$links" -le 5
places=$(grep -c 'number [0-9]* in the queue' "$T/7.err")
is "places that fall: the first is told, and not each" "$places" 1

# --- what a server holds, though it has acknowledged nothing

# ends NAME STATUS REGEX STEP...: the one destination does so, on the first link.
ends() {
    local name=$1 want=$2 regex=$3 port
    shift 3
    : >"$T/peer"
    tests/tools/peer --listen accept until:HELLO "${to_go[@]}" "$@" again >"$T/peer" 2>&1 &
    pids+=("$!")
    within 60 test -s "$T/peer"
    read -r port <"$T/peer"
    run timeout 100 "$vmsend" -d 1 --compress=none --timeout 2 --retry 0 --to "tcp://127.0.0.1:$port" "$T/core"
    is "$name: exit status $want" "$rc" "$want"
    like "$name: where the part is" "$(<"$T/err")" "$regex"
}
ends "a disk that was full early" 4 'a part of the dump is there: /there/vmcore.part \(not acknowledged\)' \
    until:DATA abort:2:0 close
ends "a server that broke off, without a word" 3 'a part of the dump may be there: /there/vmcore.part' until:DATA hangup
ends "one that has acknowledged something" 4 $'a part of the dump is there: /there/vmcore.part\n' \
    until:CHECKPOINT ack:1 abort:2:0 close

# A server that welcomes us in vain doesn't keep us from the next one.
tests/tools/peer --listen accept until:HELLO welcome hangup again >"$T/peer" 2>&1 &
pids+=("$!")
within 60 test -s "$T/peer"
read -r port <"$T/peer"
mkdir "$T/dumps"
run timeout 100 "$vmsend" -d 1 --compress=none --retry 10m --to "tcp://127.0.0.1:$port" \
    --to "exec:exec $vmrecv --stdio --host vm1 --dir $T/dumps" "$T/core"
is "a server that only welcomes: the server after it has its turn" "$rc" 0
ok "a server that only welcomes: the dump is right" cmp "$T/wanted" "$(find "$T/dumps" -name vmcore)"
done_testing
