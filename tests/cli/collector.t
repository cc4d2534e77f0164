#!/bin/bash
# What a collector and its sessions have in their memory: no core leaves it, no key stays in it.
# shellcheck disable=SC2154,SC2317 # collector_pid, port: collector.sh sets them; within calls a function
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
# shellcheck source=tests/lib/certs.sh
. tests/lib/certs.sh

# Of 1 the kernel makes no core, be it for a file or for a program. Of 0 it makes one for a program.
if (ulimit -c unlimited) 2>/dev/null; then
    ulimit -c unlimited
    collect --plain-from 127.0.0.1
    like "a collector leaves no core" "$(<"/proc/$collector_pid/limits")" "Max core file size +1 +1 "
    exec {link}<>"/dev/tcp/127.0.0.1/$port"
    has_child() { child=$(xargs <"/proc/$collector_pid/task/$collector_pid/children") && [[ -n $child ]]; }
    within 30 has_child
    like "nor does a session of it" "$(<"/proc/$child/limits")" "Max core file size +1 +1 "
    exec {link}<&-
else
    skip "a collector leaves no core" "no core could be had here"
fi
stop_collector

# Ignored, as who starts it may have left it, the kernel would reap sessions: their numbers would be other processes'.
printf '#!/bin/bash\nexec env --ignore-signal=CHLD "%s" "$@"\n' "$vmrecv" >"$T/ignoring"
chmod +x "$T/ignoring"
vmrecv=$T/ignoring collect --plain-from 127.0.0.1
exec {link}<>"/dev/tcp/127.0.0.1/$port"
session_there() { child=$(xargs <"/proc/$collector_pid/task/$collector_pid/children") && [[ -n $child ]]; }
within 30 session_there
kill -KILL "$child"
hears "an ignored SIGCHLD: a collector reaps its sessions itself" 'session was ended by signal 9'
exec {link}<&-
stop_collector

# --- keys are gone before the first frame

# children: the collector's sessions.
children() { xargs -n 1 <"/proc/$collector_pid/task/$collector_pid/children"; }
# session_beside PID...: the one that isn't among these; sets child.
session_beside() {
    child=$(children | grep -vxF -e none "${@/#/-e}")
    [[ -n $child ]]
}
in_memory() { tests/tools/memory find "$1" "${needles[@]}"; }
# has_only NAMES: the session has those in its memory.
has_only() { names=$(in_memory "$child") && [[ $names == "$1" ]]; }

make_ca ca
make_cert server ca IP:127.0.0.1
make_cert web1 ca DNS:web1
key1=00112233445566778899aabbccddeeff key2=ffeeddccbbaa99887766554433221100
printf 'web1:%s\nweb2:%s\n' "$key1" "$key2" >"$T/keys"
chmod 600 "$T/keys"
needles=("psk1=$key1" "psk2=$key2")
read -ra forms < <(tests/tools/memory private-key "$T/server.key")
needles+=("${forms[@]}")
if [[ ${#needles[@]} != 5 ]]; then
    fail "keys can be made" "$(<"$T/openssl")"
    done_testing
fi
collect --tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt" --tls-psk "$T/keys"
if in_memory "$collector_pid" >"$T/found" 2>/dev/null; then
    is "the collector itself has no key in its memory" "$(<"$T/found")" ""
    # Who hasn't shaken hands: the session needs the keys, so they can be found.
    exec {silent}<>"/dev/tcp/127.0.0.1/$port"
    within 30 session_beside
    silent_child=$child
    ok "before the handshake a session has keys, and they are found" within 30 has_only "number psk1 psk2"
    mkfifo "$T/quiet"
    exec {quiet}<>"$T/quiet"
    openssl s_client -connect "127.0.0.1:$port" -CAfile "$T/ca.crt" -cert "$T/web1.crt" -key "$T/web1.key" \
        <"$T/quiet" >"$T/s_client" 2>&1 &
    pids+=($!)
    within 30 session_beside "$silent_child"
    by_cert=$child
    ok "after the handshake, before a frame, it has none: neither the private key nor a shared one" within 30 has_only ""
    openssl s_client -connect "127.0.0.1:$port" -ciphersuites TLS_AES_128_GCM_SHA256 -psk_identity web1 -psk "$key1" \
        <"$T/quiet" >"$T/s_client.psk" 2>&1 &
    pids+=($!)
    within 30 session_beside "$silent_child" "$by_cert"
    ok "a host with a shared key: its own at the most, neither another's nor the private one" within 30 has_only psk1
    is "and no descriptor leads to them" "$(find "/proc/$child/fd" -lname '*vmrecv-key*' | wc -l)" 0
    layouts=$(for pid in "$collector_pid" "$silent_child" "$by_cert" "$child"; do tests/tools/memory layout "$pid"; done)
    if [[ $(</proc/sys/kernel/randomize_va_space) == 2 ]]; then
        is "each has a memory layout of its own" "$(tr ' ' '\n' <<<"$layouts" | grep -v libc | sort | uniq -d)" ""
    else
        skip "each has a memory layout of its own" "addresses aren't random here"
    fi
    exec {silent}<&- {quiet}<&-
else
    skip "no key stays in memory" "the memory of processes can't be read here"
fi
run timeout 10 "$vmrecv" --session-of-collector 0 </dev/null
told "a session without a collector is none" 2 "is for a collector's own use"
done_testing
