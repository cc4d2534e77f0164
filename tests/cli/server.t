#!/bin/bash
# A dump server set up as docs/KDUMP.md tells, word by word, on a throw-away copy of this machine: what is installed is
# found by the user for dumps, who is nobody else's, over ssh and by a collector.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need "${SSHD:=$(type -P sshd)}" ssh-keygen ssh-keyscan python3 useradd unshare setpriv
[[ $EUID -eq 0 ]] || { skip "a server by docs/KDUMP.md" "a private file system needs root"; done_testing; }
S=$T/sandbox # what is seen in there, too
mkdir "$S"
tests/tools/mkcore "$S/core" 4M

# block REGEX: the text between ``` that has a line like that.
block() {
    awk -v regex="$1" '/^```/ { if (open && text ~ regex) printf "%s", text; open = !open; text = ""; next }
        open { text = text $0 "\n" }' docs/KDUMP.md
}
block useradd >"$S/user"
block '^listen =' >"$S/vmrecv.conf"
block ExecStart= | sed -n 's/^ExecStart=//p' >"$S/unit"
port=$(free_port)
ssh-keygen -q -t ed25519 -N '' -f "$S/host_key"
cat >"$S/script" <<END
set -eu
! id crash 2>/dev/null >&2 || userdel crash # one that is there already
rm -rf /etc/vmsend* /etc/vmrecv* /var/crash /var/lib/crash
make -s BUILD=$BUILD PREFIX=/usr/local install 2>$S/make || { cat $S/make >&2 && exit 1; }
. $S/user
mkdir -p /run/sshd
# Debian's own setting: without PAM, a user that has no password is locked out.
$SSHD -D -e -o UsePAM=yes -o PidFile=none -o HostKey=$S/host_key -o ListenAddress=127.0.0.1 -p $port -f /dev/null \\
    2>$S/sshd & sshd=\$!
trap 'kill \$sshd \${collector:-}' EXIT
until grep -q 'Server listening' $S/sshd; do kill -0 \$sshd; sleep 0.05; done
vmsend-kdump-setup --name web1 --host-key $(ssh-keygen -l -f "$S/host_key.pub" | cut -d ' ' -f 2) \\
    ssh://crash@127.0.0.1:$port >$S/setup || true # the server doesn't know the key yet
mkdir -m 700 /var/lib/crash/.ssh
sed -n 's/^ *\\(restrict,\\)/\\1/p' $S/setup >/var/lib/crash/.ssh/authorized_keys
chown -R crash /var/lib/crash/.ssh
vmsend $S/core 2>$S/by-ssh

echo "web2:$(printf '%064d' 7)" >$S/psk
install -o crash -m 600 $S/psk /etc/vmrecv.psk
sed 's/:7777/127.0.0.1:0/' $S/vmrecv.conf >/etc/vmrecv.conf
setpriv --reuid crash --regid nogroup --clear-groups $(<"$S/unit") 2>$S/collector & collector=\$!
until grep -q 'listening on' $S/collector; do kill -0 \$collector; sleep 0.05; done
chmod 600 $S/psk
vmsend --tls-psk $S/psk --to tls://\$(grep -o '127.0.0.1:[0-9]*' $S/collector) $S/core 2>$S/by-tls
find /var/crash -name vmcore -printf '%P %u %m\\n' | sort >$S/dumps
vmrecv --check -q /var/crash/*/*/vmcore
END
run env VMSEND_CACHE="$S" timeout 300 scripts/lab/sandbox "$S" bash "$S/script"
is "all that it says succeeds" "$rc $(<"$T/err")" "0 "
for way in ssh tls; do
    like "by $way: the dump is whole" "$(<"$S/by-$way")" "complete and verified"
done
like "the dumps are the user's alone, each in the folder of its machine" "$(<"$S/dumps")" \
    "^web1/[^/]*/vmcore crash 600"$'\n'"web2/[^/]*/vmcore crash 600$"
done_testing
