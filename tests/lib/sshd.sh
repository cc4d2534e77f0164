# shellcheck shell=bash
# Sourced by the tests that want an SSH server: OpenSSH's own, as a process of whoever runs the test, with
# keys and configuration in the test's folder, on a free port of loopback. Wants tap.sh.
#
# SSHD (default sshd) and what SSHD_CONFIG has in lines put another one in its place.

SSHD=${SSHD:-$(type -P sshd)} SSHD_CONFIG=${SSHD_CONFIG:-}
sshd_pid=
trap 'stop_sshd; rm -rf "$T"' EXIT

# ssh_keys: of the server as $T/host_TYPE, of a user as $T/id_TYPE, who is let in with the first two.
ssh_keys() {
    local type
    for type in ed25519 ecdsa rsa; do
        ssh-keygen -q -t "$type" -N '' -C "host $type" -f "$T/host_$type"
        ssh-keygen -q -t "$type" -N '' -C "user $type" -f "$T/id_$type"
    done
    cat "$T/id_ed25519.pub" "$T/id_ecdsa.pub" "$T/id_rsa.pub" >"$T/authorized_keys"
}

# start_sshd [LINE]...: with these lines of configuration, and OpenSSH's defaults. Sets `port`, `url`, and
# `known`, the name that lines of known_hosts have for it. Host keys are those of HOST_KEYS.
HOST_KEYS="ed25519 ecdsa rsa"
# shellcheck disable=SC2034 # url, known: for those who source this
start_sshd() {
    local type try i
    stop_sshd
    for ((try = 0; try < 30; try++)); do
        port=$((10000 + RANDOM % 22000))
        mkdir -p "$T/sshd"
        rm -f "$T/sshd"/*
        for type in $HOST_KEYS; do cp -p "$T/host_$type" "$T/host_$type.pub" "$T/sshd"; done
        : >"$T/sshd.log"
        SSHD=$SSHD SSHD_CONFIG=$SSHD_CONFIG scripts/lab/sshd "$T/sshd" "Port $port" "ListenAddress 127.0.0.1" \
            "ListenAddress ::1" "AuthorizedKeysFile $T/authorized_keys" "$@" 2>"$T/sshd.log" </dev/null >/dev/null &
        sshd_pid=$!
        for ((i = 0; i < 600; i++)); do
            if grep -q '^Server listening on 127' "$T/sshd.log"; then
                url=ssh://$(id -un)@127.0.0.1:$port known="[127.0.0.1]:$port"
                return
            fi
            kill -0 "$sshd_pid" 2>/dev/null || break
            sleep 0.05
        done
        stop_sshd
        grep -q 'already in use\|Cannot bind any' "$T/sshd.log" || break
    done
    fail "sshd starts" "$(<"$T/sshd.log")"
    done_testing
}

stop_sshd() {
    [[ -n $sshd_pid ]] || return 0
    kill "$sshd_pid" 2>/dev/null
    wait "$sshd_pid" 2>/dev/null
    sshd_pid=
}

# know NAME TYPE...: lines of known_hosts with the server's keys.
know() {
    local name=$1 type
    shift
    for type; do echo "$name $(cut -d ' ' -f 1,2 "$T/host_$type.pub")"; done
}

# fingerprint FILE: of a public key; fingerprint_re: as a regular expression.
fingerprint() { ssh-keygen -l -f "$1" | cut -d ' ' -f 2; }
fingerprint_re() { fingerprint "$1" | sed 's/+/\\+/g'; }
