#!/bin/bash
# scripts/kdump/kdump-setup against a real sshd: it pins the key that the server has and no other, makes a key that is good
# with the line that it says for authorized_keys, never overwrites what is there, and ends as its probe does.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/sshd.sh
. tests/lib/sshd.sh
need "$SSHD" ssh-keygen ssh-keyscan python3
ssh_keys
: >"$T/authorized_keys"
start_sshd "SetEnv PATH=$BUILD:/usr/bin:/bin"
config=$T/etc/vmsend.conf keys=$T/etc/vmsend
mkdir "$T/etc"
right=$(fingerprint "$T/host_ed25519.pub")
setup() { run env VMSEND="$vmsend" scripts/kdump/kdump-setup --config "$config" --name web1 "$@" </dev/null; }
mode() { stat -c %a "$@" | paste -sd ' '; }

# --- before anything is written

setup
told "no URL: says what one looks like" 2 "name a server, such as ssh://"
setup crash@dumpserver
told "a URL without a scheme: says which there are" 2 "neither an option nor a URL of ssh://"
setup --host-key SHA256:abc "$url"
told "a fingerprint that is none: is refused at once" 2 "isn't SHA256: and 43 characters"
for bad in 0 65536 99999 4294967318 22x; do
    setup "ssh://crash@127.0.0.1:$bad/srv"
    told "port $bad: is refused" 2 "ssh://crash@127.0.0.1:$bad/srv: a port is a number from 1 to 65535"
done
setup --name ../web1 "$url"
told "a name with a slash: is refused" 2 "a --name is of letters"
setup tls://127.0.0.1:1
told "tls:// without a key: says what it wants" 2 "tls:// wants --tls-psk"
setup --tls-psk "$T/none" tls://127.0.0.1:1
told "a shared key that isn't there" 1 "$T/none can't be read"
setup "$url"
told "nobody to ask: says the server's key, and how to go on" 1 \
    "is the key of 127.0.0.1 port $port $(fingerprint_re "$T/host_ed25519.pub").*--host-key $(fingerprint_re "$T/host_ed25519.pub")"
setup --host-key "$(fingerprint "$T/id_rsa.pub")" "$url"
told "another key than --host-key: says which there are" 1 "another key than --host-key.*$(fingerprint_re "$T/host_ecdsa.pub")"
setup --host-key "$right" ssh://root@127.0.0.1:1
told "no server: says so" 1 "127.0.0.1 port 1 shows no key"
is "none of these wrote anything" "$(ls -A "$T/etc")" ""

# --- a server that doesn't know us yet

store="$T/it's \$HOME \"dir\""
setup --host-key "$right" "$url$store"
is "a new key: the probe fails, and so does it" "$rc" 5
like "a new key: the probe says why" "$(<"$T/out")" "authentication: 127.0.0.1 doesn't take $keys/id_ed25519"
is "its files are their owner's" "$(mode "$config" "$keys" "$keys/id_ed25519")" "600 700 600"
is "the configuration" "$(grep -v '^#' "$config")" "to = $url$store
identity = $keys/id_ed25519
host-key = $right"
grep -o 'restrict,command=.*' "$T/out" >"$T/line"
is "it says one line for authorized_keys" "$(wc -l <"$T/line")" 1
cp "$T/line" "$T/authorized_keys"
run "$vmsend" --config "$config" --probe
is "with that line, the server would take a dump" "$rc" 0
tests/tools/mkcore "$T/core" 4M
run "$vmsend" --config "$config" -q -d 1 "$T/core"
is "and it does" "$rc" 0
ok "the dump is in the folder, whatever its name, and the host's" "$vmrecv" --check -q "$store"/web1/*/vmcore

# --- again

before=$(<"$config")
setup --host-key "$right" tcp://127.0.0.1:1 "$url"
told "a configuration that exists: is kept" 1 "$config exists: .*--probe, .*--force"
is "it is what it was" "$(<"$config")" "$before"
key=$(<"$keys/id_ed25519")
setup --force --host-key "$(fingerprint "$T/host_ecdsa.pub")" "$url"
is "--force: is another, and its probe is well" "$rc $(grep host-key "$config")" "0 host-key = $(fingerprint "$T/host_ecdsa.pub")"
ok "--force: the key is the same" test "$key" = "$(<"$keys/id_ed25519")"
like "it tells of what is left" "$(<"$T/out")" "Each of them would take a dump.*initramfs"
setup --force --host-key "$right" "$url" tcp://127.0.0.1:1
like "one of two servers isn't there: the probe's status" "$rc $(<"$T/out")" "^3 .*port 1: Connection refused.*Not all of them"
before=$(<"$config")
setup --force --host-key "$(fingerprint "$T/id_rsa.pub")" "$url"
is "--force: the wrong key changes nothing" "$rc $(<"$config")" "1 $before"
ln -s nowhere "$T/etc/link.conf"
run env VMSEND="$vmsend" scripts/kdump/kdump-setup --config "$T/etc/link.conf" --host-key "$right" "$url"
told "a link that leads nowhere: exists, too" 1 "link.conf exists"

# --- somebody to ask

# answer WORD: at a terminal.
answer() {
    rm -rf "$config" "$keys"
    run python3 - "$1" env VMSEND="$vmsend" scripts/kdump/kdump-setup --config "$config" "$url" <<'EOF'
import os, pty, sys
said = b""
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
while True:
    try:
        some = os.read(fd, 4096)
    except OSError:
        break
    said += some
    if said.endswith(b"? "):
        os.write(fd, sys.argv[1].encode() + b"\n")
os.write(1, said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
}
answer no
is "asked, and answered no: nothing is written" "$rc $(find "$T/etc" -type f)" "1 "
like "asked: shows the key" "$(<"$T/out")" "shows the key ED25519 $(fingerprint_re "$T/host_ed25519.pub")"
answer yes
is "answered yes: the key is pinned" "$rc $(grep host-key "$config")" "5 host-key = $right"
stop_sshd

# --- TLS

(umask 077; echo "web1:$(printf '%064d' 7)" >"$T/psk")
"$vmrecv" --listen 127.0.0.1:0 --dir "$T/dumps" --tls-psk "$T/psk" 2>"$T/log" &
collector=$!
for ((i = 0; i < 600; i++)); do
    port=$(sed -nE 's/.*listening on .*:([0-9]+),.*/\1/p' "$T/log")
    [[ -z $port ]] || break
    sleep 0.1
done
chmod 644 "$T/psk"
setup --force --tls-psk "$T/psk" "tls://127.0.0.1:$port"
is "a shared key: all is well" "$rc $(grep -v '^#' "$config")" "0 to = tls://127.0.0.1:$port
tls-psk = $keys/psk"
is "a shared key: is copied, for its owner only" "$(mode "$keys/psk") $(<"$keys/psk")" "600 $(<"$T/psk")"
setup --force --tls-psk "$keys/psk" "tls://127.0.0.1:$port"
is "a shared key: may be there already" "$rc $(<"$keys/psk")" "0 $(<"$T/psk")"
kill $collector
wait $collector 2>/dev/null
done_testing
