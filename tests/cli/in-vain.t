#!/bin/bash
# A server that takes every link, and hangs up before it has acknowledged anything, is no better than none: when the
# time of --retry is over, the next destination has its turn.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

tests/tools/mkcore "$T/core" 1M
"$vmsend" -q -d 1 --compress=none "$T/core" "$T/wanted" || exit 1

# hangs_up N STEP...: listens on $port, and takes each link so far, and N of them.
hangs_up() {
    local steps=() n=$1
    shift
    for ((; n; n--)); do steps+=(accept until:HELLO welcome "$@" hangup); done
    exec {server}< <(timeout 100 tests/tools/peer --listen "${steps[@]}" 2>&1)
    server_pid=$!
    read -r -u "$server" port
}
send() { run timeout 60 "$vmsend" -d 1 --compress=none --retry 2 "$@" "$T/core"; }

for steps in "" "until:TOTALS" "until:TOTALS go:0:0"; do
    # shellcheck disable=SC2086 # words
    hangs_up 40 $steps
    send --to "tcp://127.0.0.1:$port" --to "file:$T/dump"
    is "after \"${steps:-welcome}\": file: has it" "$rc" 0
    like "after \"${steps:-welcome}\": is told as one that no server has verified" "$(<"$T/err")" "vmsend: $T/dump: complete"$'\n'
    ok "after \"${steps:-welcome}\": the dump is right" cmp "$T/wanted" "$T/dump"
    rm -f "$T"/dump*
    send --to "tcp://127.0.0.1:$port"
    is "after \"${steps:-welcome}\", and nothing else: exit status 3" "$rc" 3
    kill "$server_pid"
    exec {server}<&-
done
done_testing
