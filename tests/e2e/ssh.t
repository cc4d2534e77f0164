#!/bin/bash
# ssh:// against a real sshd with OpenSSH's defaults: keys of both sides, known_hosts as ssh has it, the command at
# the far end; each failure says which step it is and what to do; dumps arrive the same, whatever breaks.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/sshd.sh
. tests/lib/sshd.sh
need "$SSHD" ssh-keygen python3
ssh_keys
start_sshd
know "$known" ed25519 ecdsa rsa >"$T/known"
diag <<<"$("$SSHD" -V 2>&1 | head -n 1), $("$vmsend" --version | sed -n 's/^ssh: //p')"

store=$T/store
tests/tools/mkcore "$T/small" 4M
"$vmsend" -q -d 1 --compress=zlib "$T/small" "$T/small.dump" 2>/dev/null # it has no kernel
command="$vmrecv --stdio --dir $store"
credentials=(--known-hosts "$T/known" --identity "$T/id_ed25519")

# probe OPTION...: what is wrong is told in one line.
probe() { run "$vmsend" -q --probe --to "$url" "${credentials[@]}" --remote-command "$command" "$@"; }
# send CORE OPTION...
send() {
    local from=$1
    shift
    rm -rf "$store"
    run "$vmsend" --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 --compress=zlib "$@" "$from"
}
# arrives NAME OPTION...: a small dump, whole.
arrives() {
    send "$T/small" "${@:2}"
    if [[ $rc == 0 ]] && cmp -s "$T/small.dump" "$store"/*/*/vmcore; then
        pass "$1"
    else
        fail "$1" "exit status $rc: $(<"$T/err")"
    fi
}

# --- each step is told

run "$vmsend" --probe --to "$url" "${credentials[@]}" --remote-command "$command"
is "--probe: all is well" "$rc" 0
steps=$(sed -n "s,^vmsend: $url: \([a-z ]*\): .*,\1,p" "$T/err" | paste -sd ' ')
is "--probe: tells each step" "$steps" "resolve connect handshake host key authentication exec protocol space rate"
like "--probe: tells the server's key" "$(<"$T/err")" "host key: ok, ssh-ed25519 $(fingerprint_re "$T/host_ed25519.pub")"
like "--probe: tells the methods, none of them by SHA-1 or CBC" "$(<"$T/err")" \
    "handshake: ok, SSH-2.0-OpenSSH_[^,]*, [^,]*, aes[0-9]*-(ctr|gcm@openssh.com), "
is "--probe: leaves no dump" "$(find "$store" -type f 2>/dev/null)" ""
# As UTF-8 it is a letter, but some terminals take its second byte for the beginning of an order to them.
start_sshd "VersionAddendum $(printf 'by \303\23331m')"
know "$known" ed25519 >"$T/known"
run "$vmsend" --probe --to "$url" "${credentials[@]}" --remote-command "$command"
like "--probe: what the server calls itself does nothing to a terminal" "$(<"$T/err")" "handshake: ok, SSH-2.0-OpenSSH_[^,]* by \?\?31m, "
start_sshd

# --- what the server has to show

known() { cat >"$T/known"; }
for type in ed25519 ecdsa; do
    know "$known" $type | known
    arrives "known_hosts: has the server's $type key only"
done
know "$known" ecdsa | known
cp "$T/known" "$T/hashed"
ssh-keygen -q -H -f "$T/hashed" >/dev/null 2>&1
known <"$T/hashed"
ok "known_hosts: the name is hashed" grep -q '^|1|' "$T/known"
arrives "known_hosts: has a hashed name"
{ know "[127.0.0.?]:$port" ed25519; know "$known" ecdsa; } | known
arrives "known_hosts: has a pattern, and several keys"
know 127.0.0.1 ed25519 | known
arrives "known_hosts: has the server without its port"
{ echo "$known $(cut -d ' ' -f 1,2 "$T/id_ed25519.pub")"; know "$known" ed25519; } | known
arrives "known_hosts: has an old key and the new one"
know "[localhost]:$port" ed25519 | known
saved=$url url=ssh://$(id -un)@localhost:$port
arrives "known_hosts: has the name that the URL has"
url=$saved

know "[127.0.0.1]:$((port + 1))" ed25519 | known
probe
told "an unknown server: says its fingerprint, the file, what to do" 5 \
    "host key: \[127.0.0.1\]:$port isn't in $T/known; it shows ssh-ed25519 $(fingerprint_re "$T/host_ed25519.pub").*ssh-keyscan.*--host-key"
{ know "x" ecdsa; echo "$known $(cut -d ' ' -f 1,2 "$T/id_ed25519.pub")"; } | known
probe
told "a changed key: says the line, and the fingerprint" 5 \
    "host key: $T/known:2 has another key of \[127.0.0.1\]:$port than the ssh-ed25519 $(fingerprint_re "$T/host_ed25519.pub")"
{ know "$known" ed25519; know "@revoked *" ed25519; } | known
probe
told "a revoked key: says the line" 5 "host key: $T/known:2 revokes the key of \[127.0.0.1\]:$port"
know "@cert-authority $known" ed25519 | known
probe
told "an authority alone: says that the key itself is needed" 5 "host key: .*only an authority.*add the key"
echo "$known ssh-dss AAAAB3NzaC1kc3MAAAA=" | known
probe
told "a key that nobody takes any more: says which the server has" 5 \
    "host key: $T/known has an? ssh-dss key of .*, but it shows ssh-ed25519 SHA256:"
known </dev/null
probe
told "an empty known_hosts: says that the server isn't in it" 5 "host key: .* isn't in $T/known"
probe --known-hosts "$T/none"
told "no known_hosts: says which" 5 "host key: $T/none: No such file"

credentials=(--identity "$T/id_ed25519")
for type in ed25519 ecdsa; do
    arrives "--host-key: is that of the server's $type key" --host-key="$(fingerprint "$T/host_$type.pub")"
done
arrives "--host-key: is one of several" --host-key="$(fingerprint "$T/id_ecdsa.pub")" \
    --host-key="$(fingerprint "$T/host_ed25519.pub")="
probe --host-key="$(fingerprint "$T/id_ecdsa.pub")"
told "--host-key: says what the server shows" 5 "host key: 127.0.0.1 shows .* SHA256:.*, which is not the --host-key"
probe --host-key="$(fingerprint "$T/id_ecdsa.pub")" --known-hosts "$T/known"
told "--host-key: counts, not known_hosts" 5 "not the --host-key"
for key in MD5:aa:bb SHA256:abc "SHA256:$(printf 'A%.0s' {1..44})" "$(fingerprint "$T/id_ecdsa.pub")x"; do
    probe --host-key="$key"
    told "--host-key=$key: is refused at once" 2 "isn't SHA256: and 43 characters"
done

# --- who we are

credentials=(--known-hosts "$T/known" --identity "$T/id_ed25519")
know "$known" ed25519 | known
for type in ed25519 ecdsa; do
    arrives "--identity: is an $type key" --identity "$T/id_$type"
done
ssh-keygen -q -t ecdsa -b 521 -N '' -f "$T/id_521"
ssh-keygen -q -t ecdsa -N '' -m PEM -f "$T/id_pem"
cat "$T/id_521.pub" "$T/id_pem.pub" >>"$T/authorized_keys"
arrives "--identity: is an ecdsa key of 521 bits" --identity "$T/id_521"
arrives "--identity: is an ecdsa key in OpenSSL's format" --identity "$T/id_pem"
probe --identity "$T/none"
told "--identity: isn't there" 5 "authentication: $T/none: No such file"
ssh-keygen -q -t ed25519 -N '' -f "$T/id_other"
probe --identity "$T/id_other"
told "--identity: is one that the server doesn't take" 5 \
    "authentication: 127.0.0.1 doesn't take $T/id_other $(fingerprint_re "$T/id_other.pub") for $(id -un): add $T/id_other.pub"
cp "$T/id_ed25519" "$T/id_open"
chmod 640 "$T/id_open"
probe --identity "$T/id_open"
told "--identity: can be read by others" 5 "authentication: $T/id_open can be read by others: chmod 600"
probe --identity "$T/id_ed25519.pub"
told "--identity: can be read by others, though public" 5 "authentication: .*chmod 600"
install -m 600 "$T/id_ed25519.pub" "$T/id_public"
probe --identity "$T/id_public"
told "--identity: is the public one" 5 "authentication: $T/id_public is a public key"
ssh-keygen -q -t ed25519 -N secret -f "$T/id_locked"
probe --identity "$T/id_locked"
told "--identity: has a passphrase" 5 "authentication: $T/id_locked is protected by a passphrase"
ssh-keygen -q -t ecdsa -N secret -m PEM -f "$T/id_locked_pem"
probe --identity "$T/id_locked_pem"
told "--identity: has a passphrase in OpenSSL's format" 5 "authentication: .* is protected by a passphrase"
if [[ $("$vmsend" --version) == *"ssh: libssh2 1.10."* ]]; then
    probe --identity "$T/id_rsa"
    told "--identity: is an rsa key, which this library can't use" 5 \
        "authentication: $T/id_rsa is a key of type ssh-rsa.*libssh2 1.10.*ssh-keygen -t ed25519"
else
    arrives "--identity: is an rsa key" --identity "$T/id_rsa"
fi

# --- the files of ssh(1)

mkdir -p "$T/home/.ssh"
# shellcheck disable=SC2317 # run calls it
at_home() { env LD_PRELOAD="$preload/home.so" HOME_OF_TEST="$T/home" USER_OF_TEST="$(id -un)" HOME=/nowhere "$@"; }
send_at_home() {
    rm -rf "$store"
    run at_home "$vmsend" --to "ssh://127.0.0.1:$port" --remote-command "$command" -q -d 1 "$T/small"
}
send_at_home
like "at home: known_hosts isn't there" "$rc $(<"$T/err")" "^5 .*isn't in ~/.ssh/known_hosts or /etc/ssh/ssh_known_hosts"
know "$known" ecdsa >"$T/home/.ssh/known_hosts"
send_at_home
like "at home: there is no key" "$rc $(<"$T/err")" \
    "^5 .*authentication: no key: $T/home/.ssh has neither id_ed25519 nor id_ecdsa.*--identity.*ssh-keygen"
cp "$T/id_other" "$T/home/.ssh/id_ed25519"
send_at_home
like "at home: the server doesn't take the key" "$rc $(<"$T/err")" "^5 .*doesn't take $T/home/.ssh/id_ed25519"
cp "$T/id_ecdsa" "$T/home/.ssh/id_ecdsa"
send_at_home
is "at home: the second key is taken, by the user that runs it" "$rc" 0
ok "at home: the dump is there" "$vmrecv" --check -q "$store"/*/*/vmcore
mv "$T/home/.ssh/known_hosts" "$T/home/.ssh/known_hosts2"
send_at_home
is "at home: known_hosts2 is read, too" "$rc" 0

# --- the command

command="$T/no/vmrecv --stdio"
probe
told "a command that isn't there: says so by its status and the shell's words" 1 \
    "the remote command ended with status 127: .*$T/no/vmrecv"
run "$vmsend" --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 "$T/small"
like "a command that isn't there: isn't tried again" "$rc $(<"$T/err")" "^1 .*; not tried again"
like "a command that isn't there: what is said there is shown" "$(<"$T/err")" "vmsend: $url: remote: .*$T/no/vmrecv"
command="$T/small"
probe
told "a command that can't be run: says so" 1 "the remote command ended with status 126: .*[Pp]ermission denied"
command="exit 3"
probe
told "a command that ends: says its status" 3 "the remote command ended with status 3$"
command="true"
probe
told "a command that does nothing: says that it has ended" 3 "the remote command has ended$"
command="echo This account is not available.; exit 1"
probe
told "a command that prints: says what" 3 "the remote command ended with status 1; it printed: This account is not available\.$"
command='kill -9 $$'
probe
told "a command that is killed: says by what" 3 "the remote command was killed by SIGKILL"
command="printf 'one\ntwo\033[2J\a three\n\n\n' >&2; exit 4"
probe
told "a command that complains: its last line is told, without what terminals mind" 3 "status 4: two\?\[2J\? three$"
command="sleep 60"
probe --timeout 6s
told "a command that is silent: is waited for as long as --timeout says" 3 "nothing came for 6 s"
command="echo 'Welcome to hub'; echo 'Last login: never'; exec $vmrecv --stdio --dir $store"
arrives "a shell that prints before the receiver speaks: is tolerated"
command="head -c 8000 /dev/zero; exec $vmrecv --stdio --dir $store"
arrives "a shell that prints much: is tolerated"
command="while :; do echo spam; done"
probe
told "a shell that prints without end: says what" 1 "doesn't speak the protocol; it says: s"
command="for i in \$(seq 1000); do echo line \$i >&2; done; exec $vmrecv --stdio --dir $store"
arrives "a shell that complains much: is tolerated"
lines=$(grep -c 'remote: line' "$T/err")
ok "a shell that complains much: some of it is shown ($lines)" test "$lines" -ge 5 -a "$lines" -le 40

odd="$T/it's \$HOME \"dir\""
store=$odd command="$vmrecv --stdio"
saved=$url url=$url$odd
arrives "a directory in the URL: whatever its name"
is "a directory in the URL: is used" "$(find "$odd" -name vmcore | wc -l)" 1
url=$saved store=$T/store

start_sshd "SetEnv PATH=$BUILD:/usr/bin:/bin"
know "$known" ed25519 | known
url=$url$store
run "$vmsend" --to "$url" "${credentials[@]}" -q -d 1 --compress=zlib "$T/small"
is "without --remote-command: it is vmrecv of the path there" "$rc" 0

# --- forced commands

forced="restrict,command=\"$vmrecv --stdio --host web1 --dir $store\""
{ echo "$forced $(<"$T/id_ed25519.pub")"; } >"$T/authorized_keys"
command="rm -rf /nowhere; echo no"
url=${url%"$store"}
arrives "a forced command: runs, whatever was asked for"
is "a forced command: says whose dump it is" "$(cd "$store" && echo *)" web1
json() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$store"/*/*/meta.json "$1"; }
is "a forced command: the host is proved by it" "$(json host) $(json host_proved_by)" "web1 --host"
is "the record says where the sender is" "$(json peer)" "127.0.0.1"
echo "command=\"echo no access\" $(<"$T/id_ed25519.pub")" >"$T/authorized_keys"
probe
told "a forced command that is another: says what it printed" 3 "it printed: no access"
cat "$T"/id_{ed25519,ecdsa,521,pem,rsa}.pub >"$T/authorized_keys"
start_sshd "ForceCommand echo Authorized use only; echo See policy; exec $vmrecv --stdio --dir $store"
know "$known" ed25519 | known
arrives "a server that prints before the receiver: is tolerated"

# --- servers that won't

# refused NAME STATUS REGEX [LINE]...
refused() {
    local what=$1 status=$2 regex=$3
    shift 3
    start_sshd "$@"
    know "$known" ed25519 rsa | known
    probe
    told "$what" "$status" "$regex"
}
command="$vmrecv --stdio --dir $store"
refused "no keys: says what there is" 5 "authentication: 127.0.0.1 takes no keys from $(id -un), only " "PubkeyAuthentication no"
refused "not this user: says that the key isn't taken" 5 "authentication: 127.0.0.1 doesn't take $T/id_ed25519" "AllowUsers nobody"
refused "no sessions: says so" 3 "exec: no session: " "MaxSessions 0"
refused "no cipher in common: says what is needed" 1 "handshake: no algorithms in common.*AES" "Ciphers chacha20-poly1305@openssh.com"
HOST_KEYS=rsa
if [[ $("$vmsend" --version) == *"ssh: libssh2 1.10."* ]]; then
    refused "only an rsa key of the server's: says what is needed" 1 "handshake: no algorithms in common: .*ed25519 or ecdsa"
fi
HOST_KEYS="ed25519 ecdsa rsa"

# fake SCRIPT: a server that isn't sshd, for one connection.
fake() {
    rm -f "$T/port"
    python3 - "$1" >"$T/port" 2>"$T/fake" <<'EOF' &
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(1)
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
exec(sys.argv[1])
EOF
    fake_pid=$!
    until [[ -s $T/port ]]; do sleep 0.05; done
    url=ssh://root@127.0.0.1:$(<"$T/port")
}
fake 'c.sendall(b"220 mail.example ESMTP\r\n"); c.recv(100)'
probe
told "another server: says how that greets" 3 "handshake: the server has closed the connection: 220 mail.example ESMTP"
wait "$fake_pid"
fake 'c.close()'
probe
told "a server that hangs up: says so" 3 "handshake: .*(has closed the connection|reset)"
wait "$fake_pid"
fake 'c.recv(1 << 20); c.recv(1 << 20); import time; time.sleep(60)'
probe --deadline 2s
told "--deadline: ends a handshake" 1 "the deadline is over"
kill "$fake_pid"
wait "$fake_pid" 2>/dev/null
fake 'c.recv(1 << 20); c.recv(1 << 20); import time; time.sleep(60)'
probe
told "a server that is silent: isn't waited for for ever" 3 "handshake: no answer"
kill "$fake_pid"
wait "$fake_pid" 2>/dev/null
url=ssh://root@127.0.0.1:1
probe
told "no server: says so" 3 "connect to 127.0.0.1 port 1: Connection refused"
url=ssh://root@nowhere.invalid
probe
told "no such name: says so" 3 "resolve nowhere.invalid: "
rm -rf "$T/next"
run "$vmsend" --to "$url" --to "file:$T/next" --retry 1s -q -d 1 --compress=zlib "$T/small"
is "no server: the next destination has its turn" "$rc" 0
ok "no server: the next destination has the dump" cmp "$T/small.dump" "$T/next"

# --- real dumps

use_core k61-512m
"$vmsend" -q -d 1 --compress=zlib "$core" "$T/dump"
start_sshd
know "$known" ed25519 | known

# same NAME: the last dump arrived, and is the one that a file would have got.
same() {
    is "$1: exit status" "$rc" 0
    ok "$1: byte for byte the same" cmp "$T/dump" "$store"/*/*/vmcore
}
send "$core"
same "a real dump"
is "a real dump: vmrecv --check" "$("$vmrecv" --check -q "$store"/*/*/vmcore 2>&1)" ""
for threads in 0 2; do
    rm -rf "$store"
    run "$tools/peak" "$T/peak" "$vmsend" -v --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 \
        --num-threads $threads -l "$core"
    promise=$(sed -n 's/.*at most \([0-9.]*\) MiB of memory.*/\1/p' "$T/err" | awk '{ print int($1 * 1024) }')
    ok "memory, $threads threads: no more than promised ($(<"$T/peak") of $promise KiB)" test "$(<"$T/peak")" -le "$promise"
done
if [[ -e /proc/net/if_inet6 ]] && grep -q '^Server listening on ::1' "$T/sshd.log"; then
    know "[::1]:$port" ed25519 | known
    saved=$url url="ssh://$(id -un)@[::1]:$port"
    send "$core" --num-threads 0
    same "over IPv6, in line"
    is "over IPv6: the record says from where" "$(json peer)" "::1"
    know "$known" ed25519 | known
    url=$saved
else
    skip "over IPv6" "there is none here"
fi

start_sshd "RekeyLimit 2M" "LogLevel DEBUG1"
know "$known" ed25519 | known
send "$core"
same "with new keys every 2 MB"
rekeys=$(grep -c 'set_newkeys: rekeying out' "$T/sshd.log")
ok "with new keys every 2 MB: they were changed many times ($rekeys)" test "$rekeys" -ge 20

mac=hmac-sha2-512
! grep -qE '^(flags|Features).* (sha_ni|sha2)( |$)' /proc/cpuinfo || mac=hmac-sha2-256
ok "the cipher and the MAC are the cheapest on this CPU" \
    grep -qE "kex: client->server cipher: aes128-(gcm.*|ctr MAC: $mac(-etm@openssh.com)?) compression" "$T/sshd.log"

start_sshd "ClientAliveInterval 1" "ClientAliveCountMax 2"
know "$known" ed25519 | known
begin=$EPOCHREALTIME
send "$T/small" --bwlimit 256K
took=$(awk "BEGIN { print $EPOCHREALTIME - $begin }")
is "--bwlimit: arrives, by a server that wants to hear from us" "$rc" 0
least=$(($(stat -c %s "$T/small.dump") / (256 * 1024)))
ok "--bwlimit: takes its time ($took s, at least $least)" awk "BEGIN { exit !($took >= $least * 0.8) }"

# --- what breaks

start_sshd
know "$known" ed25519 | known
# begin_slowly OPTION...: a dump that takes some 20 s, in the background; waits until there is some of it.
begin_slowly() {
    rm -rf "$store"
    "$vmsend" --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 --compress=zlib --bwlimit 12M "$@" \
        "$core" 2>"$T/err" &
    sender=$!
    for ((i = 0; i < 1200; i++)); do
        checkpoints_of "$store" && break
        kill -0 $sender 2>/dev/null || break
        sleep 0.05
    done
}
# Two segments are durable.
checkpoints_of() { (($(stat -c %s "$1"/*/*/vmcore.part 2>/dev/null || echo 0) > 40000000)); }
end_slowly() {
    wait $sender
    rc=$?
}
receivers() { pgrep -f "^$vmrecv --stdio --dir $store"; }

begin_slowly
kill -KILL "$(receivers)"
end_slowly
same "the receiver is killed"
like "the receiver is killed: says so" "$(<"$T/err")" "warning: $url: the remote command was killed by SIGKILL"
like "the receiver is killed: goes on where it was" "$(<"$T/err")" "goes on after checkpoint [1-9]"

begin_slowly
session=$(ps -o ppid= -p "$(receivers)")
kill -KILL "$session"
end_slowly
same "the server's session is killed"
like "the server's session is killed: says so" "$(<"$T/err")" "warning: $url: .*(closed the connection|reset by peer|Broken pipe)"
like "the server's session is killed: goes on where it was" "$(<"$T/err")" "goes on after checkpoint [1-9]"

begin_slowly --timeout 2s --retry 20s
stopped=$(receivers)
kill -STOP "$stopped"
for ((i = 0; i < 1200; i++)); do
    grep -q 'nothing came for' "$T/err" && break
    sleep 0.1
done
like "the receiver stops: is noticed" "$(<"$T/err")" "warning: $url: nothing came for [0-9]+ s"
kill -KILL "$stopped"
end_slowly
same "the receiver stops"

begin_slowly
kill -TERM $sender
end_slowly
told_lines=$(<"$T/err")
is "the sender is stopped: exit status" "$rc" 4
like "the sender is stopped: says so" "$told_lines" "stopped by a signal"
for ((i = 0; i < 200; i++)); do
    receivers >/dev/null || break
    sleep 0.1
done
is "the sender is stopped: the receiver ends" "$(receivers)" ""
run "$vmrecv" --check -q "$store"/*/*/vmcore.part
is "the sender is stopped: the part is incomplete, and right" "$rc" 4
run "$vmsend" --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 --compress=zlib "$core"
same "the sender is started again"
like "the sender is started again: goes on where it was" "$(<"$T/err")" "goes on after checkpoint [1-9]"
run "$vmsend" --to "$url" "${credentials[@]}" --remote-command "$command" -d 1 --compress=zlib "$core"
like "the sender is started once more: the dump is there already" "$rc $(<"$T/err")" "^0 .*has the dump already"
done_testing
