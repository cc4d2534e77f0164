#!/bin/bash
# docs/KDUMP.md, kdump.conf: the commands that Fedora's and RHEL's kdump-utils make of a core_collector line, for a
# local file system and for ssh, with vmsend in makedumpfile's place.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/sshd.sh
. tests/lib/sshd.sh
need "$SSHD" ssh ssh-keygen
use_core k61-512m
PATH=$BUILD:$PATH
echo "to = tcp://127.0.0.1:1" >"$T/conf" # as if vmsend's own way were configured, too

# collector TARGET: core_collector as docs/KDUMP.md has it for this kind of target.
collector() { sed -n "/$1/,/^core_collector/s/^core_collector //p" docs/KDUMP.md | head -n 1; }
local_one=$(collector '^path ') ssh_one=$(collector '^ssh ')
is "the recipes are vmsend's" "${local_one%% *} ${ssh_one%% *}" "vmsend vmsend"

# --- a local file system

dir=$T/crash
mkdir "$dir"
read -ra words <<<"$local_one --config $T/conf"
"${words[@]}" "$core" "$dir/vmcore-incomplete" >"$T/console" 2>&1
is "local: exit status" "$?" 0
is "local: the dump has the name that is expected, and nothing else is left" "$(ls "$dir")" vmcore-incomplete
mv "$dir/vmcore-incomplete" "$dir/vmcore"
ok "local: is whole" "$vmrecv" --check -q "$dir/vmcore"
ok "local: the console has text only" grep -q 'pages: ' "$T/console"

(ulimit -f 8192 && exec "${words[@]}" "$core" "$dir/vmcore-incomplete" >"$T/console" 2>&1)
is "local, cut short: kdump-utils sees that it failed" "$?" 4
is "local, cut short: the part is there" "$(ls "$dir")" "vmcore
vmcore-incomplete.part"

# --- ssh

ssh_keys
start_sshd "LogLevel INFO"
know "$known" ed25519 >"$T/known"
options=(-F none -i "$T/id_ed25519" -o BatchMode=yes -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=$T/known" -p "$port")
server=$(id -un)@127.0.0.1
read -ra words <<<"$ssh_one --config $T/conf"
# shellcheck disable=SC2029 # as kdump-utils has it
"${words[@]}" "$core" 2>"$T/err" | ssh "${options[@]}" "$server" "umask 0077 && dd bs=512 of='$T/vmcore-incomplete'" 2>"$T/dd"
is "ssh: exit status of both" "${PIPESTATUS[*]}" "0 0"
# shellcheck disable=SC2029
ssh "${options[@]}" "$server" "mv '$T/vmcore-incomplete' '$T/vmcore.flat'"
run "$vmrecv" -q "$T/vmcore" <"$T/vmcore.flat"
is "ssh: vmrecv makes the dump of the stream" "$rc" 0
ok "ssh: it is the one that a local file system got" cmp "$T/vmcore" "$dir/vmcore"
done_testing
