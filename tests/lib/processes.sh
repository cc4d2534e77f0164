# shellcheck shell=bash
# Sourced by what starts processes beside a test: their pids, what ends them with the test, and waiting for what they
# do. Wants tap.sh.

pids=()
end_all() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    wait
}
trap 'end_all; rm -rf "$T"' EXIT

# within SECONDS COMMAND...: the command succeeds, sooner or later.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || return 1
        sleep 0.05
    done
}
