#!/bin/bash
# What a peer has proved to be is what it may touch: no other host's dump, and nothing outside of its
# own directory, whatever it says and whatever was laid there.
# shellcheck disable=SC2046,SC2317 # options of as; commands of within
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
# shellcheck source=tests/lib/certs.sh
. tests/lib/certs.sh
need openssl

make_ca ca
make_cert server ca IP:127.0.0.1
make_cert a ca DNS:a.example
make_cert b ca DNS:b.example
core=$T/core
tests/tools/mkcore --every 1 "$core" 40M
own=(--tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt")
A=$T/dumps/a.example B=$T/dumps/b.example

as() { echo "--tls-cert $T/$1.crt --tls-key $T/$1.key --tls-ca $T/ca.crt"; }
vmsend_as() {
    local who=$1
    shift
    timeout 300 "$vmsend" -d 0 --compress=none --to "tls://127.0.0.1:$port" --retry 1 $(as "$who") "$@" "$core"
}
peer_as() {
    local who=$1
    shift
    timeout 120 tests/tools/peer --cert "$T/$who.crt" --key "$T/$who.key" 127.0.0.1 "$port" "$@"
}
# everything FOLDER: its names, modes and bytes.
everything() { (cd "$1" && find . -printf '%p %y %m %l\n' -type f -exec sha256sum {} + | sort); }
# journal FOLDER: a dump there has a segment that is durable.
journal() { [[ -n $(find "$1" -name vmcore.segments -size +1k 2>/dev/null) ]]; }
# leave_part WHO FOLDER: a dump of the core that breaks off.
leave_part() {
    local pid
    : >"$log"
    # One segment is 16 MiB, and is acknowledged within a second.
    hold $((28 << 20))
    "$vmsend" -q -d 0 --compress=none --to "tls://127.0.0.1:$held_port" $(as "$1") "$core" 2>"$T/left" &
    pid=$!
    within 60 journal "$2"
    await_held
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    kill "${pids[-1]}"
    within 60 logged "$1.example: .*vmcore.part has [0-9]+ of"
}

# --- the same dump, from another host

collect "${own[@]}"
leave_part b "$B"
everything "$B" >"$T/before"
run vmsend_as a
said "A sends the dump that B has begun: done" 0 "complete and verified"
is "A doesn't go on with B's part" "$(grep -c 'goes on after' "$T/err")" 0
everything "$B" >"$T/after"
ok "B's part is as it was" cmp "$T/before" "$T/after"
run vmsend_as b
said "B goes on with its own" 0 "goes on after checkpoint"
everything "$B" >"$T/before"
rm -rf "$A"
run vmsend_as a
is "A sends what B has complete: it isn't told that it is there" "$rc $(grep -c 'has the dump already' "$T/err")" "0 0"
run vmsend_as b
said "B is told so" 0 "has the dump already"
everything "$B" >"$T/after"
ok "B's dump is as it was" cmp "$T/before" "$T/after"

# --- a host that calls itself otherwise

for name in b.example ../b.example ../../outside /tmp/outside . .. '' "$(printf 'x%.0s' {1..300})"; do
    peer_as a "hello:host=$name" until:WELCOME >"$T/out"
    like "A says that it is \"${name:0:20}\": it is A" "$(<"$T/out")" "host=a.example"
done
is "only A and B have directories" "$(find "$T/dumps" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" "a.example b.example"
everything "$B" >"$T/after"
ok "B's dump is as it was" cmp "$T/before" "$T/after"

# --- attachments

rm -rf "$A"
for name in ../evil /tmp/evil .evil .. . 'a\x00b' 'a/b' 'a\\b' '\xe4' 'a b' "$(printf 'x%.0s' {1..64})" ''; do
    peer_as a hello until:WELCOME "attach:$name:evil" until:ABORT >"$T/out"
    like "an attachment called \"${name:0:20}\": refused" "$(<"$T/out")" "ABORT 4 [0-9]* ATTACH: bad name"
done
peer_as a hello until:WELCOME attach:note.txt:good totals until:GO >"$T/out"
is "a good one is in its place" "$(cat "$A"/*/vmcore-note.txt)" good
is "and nothing else is there" "$(find "$T" -name '*evil*')" ""

# --- a session that runs is taken over by the same host only

id=dump_id=$(printf 'c%.0s' {1..64})
peer_as b "hello:$id" until:WELCOME totals until:GO close >"$T/b1" &
b1=$!
pids+=("$b1")
within 60 grep -qs GO "$T/b1"
peer_as a "hello:$id" until:WELCOME totals until:GO idle:2 >"$T/out"
ok "A begins a dump that B is sending: it is another" grep -q "GO 0" "$T/out"
is "B's session goes on" "$(kill -0 "$b1" && grep -c ABORT "$T/b1")" 0
peer_as b "hello:$id" until:WELCOME >"$T/out"
ok "B connects again: its new link has the dump" grep -q WELCOME "$T/out"
wait "$b1"
like "and the old one is told" "$(<"$T/b1")" "ABORT .* a newer link has taken the dump over"

# --- links that lead elsewhere

# A's part, and what an attacker puts in the place of one of its files; nothing else may change.
mkdir "$T/elsewhere"
while read -r name; do
    rm -rf "$A"
    leave_part a "$A"
    place=$(echo "$A"/*)
    : >"$log"
    for kind in -s ''; do
        echo precious >"$T/elsewhere/file"
        chmod 640 "$T/elsewhere/file"
        rm -f "$place/$name"
        ln $kind "$T/elsewhere/file" "$place/$name"
        run vmsend_as a
        is "$name is ${kind:+a symbolic}${kind:-a hard} link: what it leads to is as it was" \
            "$(stat -c '%a %s' "$T/elsewhere/file") $(<"$T/elsewhere/file")" "640 9 precious"
    done
done <<'END'
vmcore.part
vmcore.segments
meta.json
meta.json.part
vmcore
END
rm -rf "$A"
ln -s b.example "$A"
everything "$B" >"$T/before"
run vmsend_as a
like "A's directory is a link to B's: refused" "$rc $(<"$T/err")" "^[1-5] "
everything "$B" >"$T/after"
ok "A's directory is a link to B's: B's is as it was" cmp "$T/before" "$T/after"
rm "$A"
mkdir -m 700 "$A"
ln -s "$(echo "$B"/*/vmcore.segments | sed 's,/vmcore.segments.*,,')" "$A/2026-01-01T00-00-00Z"
run vmsend_as a
said "A's dump is a link to B's: A's goes to a new place" 0 "complete and verified"
everything "$B" >"$T/after"
ok "A's dump is a link to B's: B's is as it was" cmp "$T/before" "$T/after"

# --- over a pipe nothing is proved: a name, but no path

while IFS='|' read -r name want; do
    rm -rf "$T/pipe"
    tests/tools/peer - 0 "hello:oneway=1,host=$name" attach:note.txt:good | "$vmrecv" -q --dir "$T/pipe" 2>"$T/err"
    is "a pipe from \"$name\": goes to $want" "$(find "$T/pipe" -mindepth 1 -maxdepth 1 -printf '%f\n')" "$want"
done <<'END'
web1|web1
../../evil|_._.._evil
/etc|_etc
..|unknown
.ssh|_ssh
|unknown
a b;c|a_b_c
END

# Its attachments lie beside FILE, where other files may be.
echo precious >"$T/web-2"
tests/tools/peer - 0 hello:oneway=1 attach:2:evil attach:3:bad attach:3:good totals >"$T/session"
run "$vmrecv" "$T/web" <"$T/session"
told "an attachment with the name of a file beside FILE: refused" 1 "$T/web-2 exists; --force replaces it"
is "the file is as it was" "$(<"$T/web-2")" precious
rm "$T"/web*
echo precious >"$T/web.part-2"
run "$vmrecv" "$T/web" <"$T/session"
told "one with the name of a part of another dump: refused" 1 "$T/web.part-2 exists; --force replaces it"
is "that part is as it was" "$(<"$T/web.part-2")" precious
rm "$T"/web*
run "$vmrecv" "$T/web" <"$T/session"
is "one that is begun anew by the same session: replaced" "$(cat "$T/web.part-2" "$T/web.part-3")" evilgood

for name in a/b .. '' '*'; do
    run "$vmrecv" --stdio --host "$name" --dir "$T/pipe" </dev/null
    told "--host \"$name\": refused" 2 "isn't a name of letters"
done
run "$vmrecv" --listen 127.0.0.1:0 "${own[@]}" --plain-from 127.0.0.1
told "TLS and --plain-from in one: refused" 2 "run another vmrecv"

# --- modes, whatever umask says

for mask in 000 777; do
    rm -rf "$T/dumps"
    umask $mask
    collect "${own[@]}"
    umask 022
    run vmsend_as a
    is "umask $mask: files 600, directories 700" "$rc $(find "$T/dumps" -printf '%y%m\n' | sort -u | xargs)" "0 d700 f600"
done
done_testing
