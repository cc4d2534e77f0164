#!/bin/bash
# exec: a session through a command of this machine: vmrecv itself, the ssh client to a real sshd, and commands that
# fail, hang, say something, or break the link.
# shellcheck disable=SC2016,SC2119 # the commands' $ is their shell's
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/sshd.sh
. tests/lib/sshd.sh
need "$SSHD" ssh ssh-keygen python3
ssh_keys
start_sshd
know "$known" ed25519 >"$T/known"

store=$T/store here="$vmrecv --stdio -q --dir $T/store"
tests/tools/mkcore "$T/small" 4M
tests/tools/mkcore --every 1 "$T/large" 48M
for size in small large; do "$vmsend" -q -d 1 --compress=zlib "$T/$size" "$T/$size.dump" 2>/dev/null; done

# send SIZE COMMAND [OPTION...]
send() {
    rm -rf "$store"
    run timeout 120 "$vmsend" -d 1 --compress=zlib --to "exec:$2" "${@:3}" "$T/$1"
}
# arrived NAME SIZE: what was sent last is there, whole.
arrived() {
    if [[ $rc == 0 ]] && cmp -s "$T/$2.dump" "$store"/*/*/vmcore; then
        pass "$1"
    else
        fail "$1" "exit status $rc: $(<"$T/err")"
    fi
}
# failed NAME STATUS REGEX: it ended so, and said so.
failed() {
    is "$1: exit status" "$rc" "$2"
    like "$1: says why" "$(<"$T/err")" "$3"
}

# --- it arrives

send small "$here"
arrived "by vmrecv --stdio of this machine" small
send small "echo Welcome; echo careful >&2; exec $here"
arrived "by a command that says something before" small
like "what it says on its standard error is told" "$(<"$T/err")" "exec:.*: command: careful"
# by_ssh KNOWN_HOSTS: the command
by_ssh() { echo "exec ssh -F none -o BatchMode=yes -o UserKnownHostsFile=$1 -i $T/id_ed25519 -p $port 127.0.0.1 $here"; }
send small "$(by_ssh "$T/known")"
arrived "by the ssh client" small
send small "$(by_ssh "$T/none")" --retry 1
failed "by an ssh that doesn't know the server" 3 "the command ended with status 255: .*[Hh]ost key verification failed"

tty=$(by_ssh "$T/known")
send small "${tty/ssh/ssh -tt}" --retry 1
failed "by an ssh that asks for a terminal" 1 "a terminal at the far end sends back what it is sent: .* -T, and no -t"

run "$vmsend" --probe --to "exec:$here"
is "--probe: all is well" "$rc" 0
is "--probe: tells each step" \
    "$(sed -n 's,^vmsend: exec:[^:]*: \([a-z ]*\): .*,\1,p' "$T/err" | paste -sd ' ')" "command protocol space rate"

# --- it breaks

# Its first link is the one that is cut.
cut="if mkdir $T/first 2>/dev/null; then"
send large "$cut dd bs=64K count=100 2>/dev/null | exec $here; else exec $here; fi"
arrived "its input ends amid the dump: goes on" large
like "its input ends amid the dump: over 2 links" "$(<"$T/err")" "sent over 2 links"
rmdir "$T/first"
send large "$cut (sleep 1; kill -9 0) & exec $here; else exec $here; fi" --bwlimit 8M
arrived "it is killed amid the dump: goes on" large
like "it is killed amid the dump: said so" "$(<"$T/err")" "the command was killed by signal 9"

# --- it fails

send small "echo no way >&2; exit 3" --retry 1
failed "it ends with a status" 3 "exec:echo no way >&2; exit 3: the command ended with status 3: no way"
send small "exec $T/none --stdio"
failed "there is no such program" 1 "the command ended with status 12[67]: .*not tried again"
# As who ignores SIGCHLD starts it.
run timeout 120 python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$vmsend" -d 1 --retry 1 --to "exec:exit 127" "$T/small"
failed "it ends while SIGCHLD is ignored" 1 "the command ended with status 127.*not tried again"
send small "kill -11 \$\$" --retry 1
failed "it crashes" 3 "the command was killed by signal 11"
stay="sleep 9$$" # like no other
send small "exec $stay <&- >&-" --retry 1
failed "it closes its output and stays" 3 "the command has closed its output"
send small "exec $stay" --retry 1 --timeout 2
failed "it says nothing" 3 "nothing came for 2 s"
is "no command is left" "$(pgrep -fx "$stay")" ""
send small "echo 'not a session'; cat >/dev/null" --retry 1 --timeout 2
failed "it is something else" 3 "it printed: not a session|nothing came for 2 s"
send small "seq 1000 >&2; exit 1" --retry 1
ok "it says very much: a few lines are told" test "$(grep -c ': command: ' "$T/err")" -lt 500
send small "exit 1" --retry 1 --to "file:$T/local"
is "none gets there: the file after it has the dump" "$rc $(cmp "$T/local" "$T/small.dump" 2>&1)" "0 "

# --- vmsend is stopped

rm -rf "$store"
"$vmsend" -q -d 1 --compress=none --bwlimit 1M --to "exec:echo \$\$ >$T/pid; exec $here" "$T/large" 2>"$T/err" &
sender=$!
for ((i = 0; i < 600; i++)); do
    [[ -n $(find "$store" -name vmcore.part -size +1M 2>/dev/null) ]] && break
    sleep 0.05
done
kill -TERM "$sender"
wait "$sender"
rc=$?
ok "stopped: is no success" test "$rc" -ne 0
like "stopped: said so" "$(<"$T/err")" "stopped by a signal"
ok "stopped: the command has ended" bash -c '! kill -0 "$1" 2>/dev/null' - "$(<"$T/pid")"
run "$vmsend" --to "exec:" "$T/small"
is "no command: exit status" "$rc" 2
done_testing
