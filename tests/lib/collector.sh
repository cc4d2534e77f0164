# shellcheck shell=bash
# Sourced by the tests that want a collector: vmrecv --listen, and what it has said. Wants tap.sh.
# What runs is ended with the test.
# shellcheck disable=SC2154 # vmrecv: tap.sh sets it

# shellcheck disable=SC2034 # port: for those who source this
collector_pid='' port='' log='' held_port=''
# shellcheck source=tests/lib/processes.sh
. "$(dirname "${BASH_SOURCE[0]}")/processes.sh"

# logged REGEX: a line of the collector's matches.
logged() { grep -qE -e "$1" "$log"; }

# hears NAME REGEX: the collector says so, soon.
hears() {
    if within 30 logged "$2"; then
        pass "$1"
    else
        fail "$1" "want a line that matches $2 in:"$'\n'"$(tail -n 20 "$log")"
    fi
}

# collect [OPTION...]: a collector on a free port of 127.0.0.1 (or of ADDRESS), with --dir $T/dumps;
# sets port, collector_pid and log. Ends the one before.
collect() {
    stop_collector
    log=$T/collector.log
    : >"$log"
    "$vmrecv" --listen "${ADDRESS:-127.0.0.1}:${PORT:-0}" --dir "$T/dumps" "$@" 2>>"$log" &
    collector_pid=$!
    pids+=("$collector_pid")
    if ! within 30 logged 'listening on'; then
        fail "a collector starts" "$(<"$log")"
        done_testing
    fi
    port=$(sed -nE 's/.*listening on .*:([0-9]+),.*/\1/p' "$log")
}

# stop_collector: by SIGTERM; sets rc.
stop_collector() {
    [[ -n $collector_pid ]] || return 0
    kill -TERM "$collector_pid" 2>/dev/null
    wait "$collector_pid"
    rc=$?
    collector_pid=''
}

# hold BYTES: a way to the collector, by `held_port`, on which so many bytes of a dump come, and then no more until that
# link is closed; see tests/faults/holdlink. await_held: it has come to that.
hold() {
    rm -f "$T/hold"
    tests/faults/holdlink "$port" "$1" >"$T/hold" &
    pids+=($!)
    within 30 test -s "$T/hold" || fail "a link that can be held" "nothing listens"
    read -r held_port <"$T/hold"
}
await_held() { within 120 grep -q held "$T/hold"; }

# said NAME STATUS REGEX: the last `run` ended with this status, and a line on standard error matches.
said() {
    if [[ $rc == "$2" ]] && grep -qE -e "$3" "$T/err"; then
        pass "$1"
    else
        fail "$1" "exit status $rc, want $2; want a line that matches $3:
$(head -c 4000 "$T/err")"
    fi
}
