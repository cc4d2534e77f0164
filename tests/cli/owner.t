#!/bin/bash
# A store where others may write: what somebody else has put there, or may write to, is neither gone on with nor told of,
# all the way down; the line names it, its owner, its mode, and what to do.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh disable=SC2317
. "$(dirname "$0")/../lib/tap.sh"
if [[ $EUID != 0 ]] || ! type -P setpriv >/dev/null; then
    skip "files of other users" "needs root and setpriv"
    done_testing
fi
core=$T/core
tests/tools/mkcore "$core" 2M
"$vmsend" -q -d 1 "$core" >"$T/flat" 2>/dev/null
mkdir -m 755 "$T/bin"
install -m 755 "$vmsend" "$vmrecv" "$T/bin"
chmod 711 "$T"
chmod 644 "$core" "$T/flat"
other=65534
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }

# send [AS UID]: a session of host vm1 into $T/dumps.
send() { run "$@" "$T/bin/vmsend" -q -d 1 --to "exec:$T/bin/vmrecv --stdio --dir $T/dumps --host vm1" "$core"; }
# refused NAME REGEX: the last one was, and said so in one line of the receiver's.
refused() {
    local lines
    lines=$(grep -c "^vmsend: the receiver refuses: $2" "$T/err")
    is "$1: is refused, and said" "$rc $lines" "5 1"
    [[ $lines == 1 ]] || diag <"$T/err"
}
# A store with one dump, all of it root's, that wants only its final name.
begin() {
    rm -rf "$T/dumps"
    mkdir -m 1777 "$T/dumps"
    send
    time=$(echo "$T"/dumps/vm1/*)
    mv "$time/vmcore" "$time/vmcore.part"
}
state() { (cd "$T/dumps" && find . -printf '%p %u %m %s %i\n' | sort && find . -type f -exec sum {} + | sort); }
only="and only root is trusted here: remove it, or chown it"

begin
is "a directory with mode 1777: takes dumps" "$rc $(stat -c %a "$time")" "0 700"
send
is "what is all ours: is gone on with" "$rc $(cd "$time" && echo *)" "0 meta.json vmcore vmcore.segments"

for planted in vm1 "vm1/*" "vm1/*/vmcore.part" "vm1/*/vmcore.segments" "vm1/*/meta.json"; do
    begin
    # shellcheck disable=SC2086,SC2116 # a pattern
    path=$(echo $T/dumps/$planted)
    chown $other "$path"
    before=$(state)
    send
    refused "$planted of another user" "$path belongs to uid $other (mode 0[67]00), $only"
    is "$planted of another user: is as it was" "$(state)" "$before"
    chown 0 "$path"
    send
    is "$planted, ours again: is gone on with" "$rc" 0
done

for writable in vm1 "vm1/*" "vm1/*/vmcore.part" "vm1/*/vmcore.segments"; do
    begin
    # shellcheck disable=SC2086,SC2116 # a pattern
    path=$(echo $T/dumps/$writable)
    chmod g+w "$path"
    send
    refused "$writable that a group may write" "$path (uid 0, mode 0[67][27]0) may be written by others: .*chmod go-w it"
done

# A whole dump that somebody else has put there isn't told of as ours.
begin
mv "$time/vmcore.part" "$time/vmcore"
chown $other "$time/vmcore"
send
refused "a whole dump of another user" "$time/vmcore belongs to uid $other"

# Another dump of the host's is no reason to do without this one.
begin
send
tests/tools/mkcore "$T/core2" 4M
chown -R $other "$time"
run "$T/bin/vmsend" -q -d 1 --to "exec:$T/bin/vmrecv --stdio --dir $T/dumps --host vm1" "$T/core2"
is "another dump that was given away: the next one comes" "$rc" 0

rm -rf "$T/dumps"
mkdir -m 1777 "$T/dumps"
as $other mkdir -m 777 "$T/dumps/vm1"
send as 1
refused "a host's directory of another user, and we aren't root" \
    "$T/dumps/vm1 belongs to uid $other (mode 0777), and only uid 1 and root are trusted here"
run "$vmrecv" -q --dir "$T/dumps" --host vm1 <"$T/flat"
told "a flattened stream: is refused, too" 5 "$T/dumps/vm1 belongs to uid $other"
run "$vmsend" -q --probe --to "exec:$vmrecv --stdio --dir $T/dumps --host vm1"
like "--probe: says so" "$rc $(<"$T/err")" "^5 .*$T/dumps/vm1 belongs to uid $other"
rmdir "$T/dumps/vm1"
as $other ln -s /tmp "$T/dumps/vm1"
send
refused "a link in the place of a host's directory" "$T/dumps/vm1 (uid $other, mode 0777) is a link or a file"

# --- the directory itself

rm -rf "$T/dumps"
mkdir -m 777 "$T/dumps"
send
refused "a directory that all may write, and rename in" "$T/dumps (uid 0, mode 0777) may be written by others: chmod +t it"
run timeout 20 "$vmrecv" --listen 127.0.0.1:0 --plain-from 127.0.0.1 --dir "$T/dumps"
like "a collector: doesn't begin there" "$rc $(<"$T/err")" "^5 .*$T/dumps .* may be written by others: chmod [+]t it"
chmod 775 "$T/dumps"
send
is "a directory that our group may write: takes dumps" "$rc" 0
chown 0:$other "$T/dumps"
send
refused "a directory that another group may write" "$T/dumps (uid 0, mode 0775) may be written by others"
chown -R $other:$other "$T/dumps"
chmod 700 "$T/dumps"
send
refused "a directory of another user" "$T/dumps belongs to uid $other (mode 0700), $only"
rm -rf "$T/dumps"
mkdir -m 1777 "$T/public"
as $other ln -s /root "$T/public/dumps"
run "$vmsend" -q -d 1 --to "exec:$vmrecv --stdio --dir $T/public/dumps --host vm1" "$core"
# The kernel may refuse it itself (fs.protected_symlinks).
like "a link of another user in its place: is refused" "$rc $(<"$T/err")" \
    "^5 .*(a link: $T/public/dumps belongs to uid $other|$T/public/dumps: Permission denied)"

# --- one FILE

out=$T/public/out
plant() {
    rm -f "$out"*
    as $other touch "$1"
    chmod 666 "$1"
    inode=$(stat -c %i "$1")
}
write() { run "$vmsend" -q -d 1 "$@" "$core" "$out"; }
receive() { run "$vmrecv" -q "$@" "$out" <"$T/flat"; }
receive_session() { run bash -o pipefail -c '"$1" -q -d 1 --stream=session "$2" | "$3" -q "${@:5}" "$4"' - "$vmsend" "$core" "$vmrecv" "$out" "$@"; }
for way in write receive receive_session; do
    plant "$out.part"
    $way
    like "$way, a .part of another user: is refused" "$rc $(<"$T/err")" \
        "^[14] .*$out.part \(of uid $other, mode 0666\) exists; --force replaces it"
    is "$way, a .part of another user: nothing was written to it" "$(stat -c '%s %i' "$out.part")" "0 $inode"
    $way --force
    is "$way --force: makes a file of its own" "$rc $(stat -c '%u %a' "$out") $(cd "$T/public" && echo out*.part*)" \
        "0 0 600 out*.part*"
done
plant "$out.part.segments"
receive_session
like "a journal of another user beside FILE: is refused" "$rc $(<"$T/err")" "^[14] .*$out.part.segments exists"
receive_session --force
is "a journal of another user, --force: is replaced" "$rc $(stat -c '%u %a' "$out.segments")" "0 0 600"
plant "$out.part"
run as 1 "$T/bin/vmrecv" --force -q "$out" <"$T/flat"
like "a .part that can't be removed: says whose it is, and what to do" "$rc $(<"$T/err")" \
    "^5 .*$out.part \(of uid $other, mode 0666\): can't replace it: remove it, or name another file"
done_testing
