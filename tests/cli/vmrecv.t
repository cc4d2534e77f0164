#!/usr/bin/env bash
# vmrecv as its users meet it: what goes in, what comes out, what it says, its exit status. The streams are
# those of the fuzzers' corpora.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

corpus=tests/fuzz/corpus
good=$corpus/fuzz_dump/good
out=$T/vmcore part=$T/vmcore.part

# stream NAME: the stream of that name; the corpus has it without the stream's header, behind one byte.
stream() {
    printf 'makedumpfile\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1'
    head -c 4064 /dev/zero
    tail -c +2 "$corpus/fuzz_assemble/$1"
}

# receive NAME [OPTION...]: that stream into $out.
receive() {
    local name=$1
    shift
    stream "$name" >"$T/stream"
    run "$vmrecv" "$@" "$out" <"$T/stream"
}

clean() { rm -rf "$out" "$part"; }

# status_byte FILE: the low byte of the status in a dump's header.
status_byte() { od -An -tu1 -j424 -N1 "$1" | tr -d ' '; }

# A build without some codec can't tell whether a dump that has it is right.
codecs=all
[[ $("$vmrecv" --check "$good") != *"not verified: "*"isn't part of this build"* ]] || codecs=some

# checked NAME WANT: the last run of --check ended with this status and, in $T/out, a match of WANT.
checked() {
    if [[ $codecs == all ]]; then
        like "$1" "$rc $(<"$T/out")" "$2"
    else
        skip "$1" "a codec is not part of this build"
    fi
}

# --- whole streams

receive good-4096
told "a whole stream: says so" 0 "vmrecv: $out: complete, 8 pages, 32.6 KiB"
ok "a whole stream: is put together" cmp "$out" "$good"
is "a whole stream: the file is its owner's" "$(stat -c %a "$out")" 600
ok "a whole stream: leaves no .part" test ! -e "$part"

receive good-4096
told "an existing file is refused" 1 "$out exists; --force replaces it"
receive good-7000 --force --quiet
is "--force replaces it, --quiet says nothing" "$rc $(<"$T/err")" "0 "
: >"$part"
rm "$out"
receive good-4096
told "an existing .part is refused" 1 "$part exists; --force replaces it"
receive good-4096 -f
told "-f replaces it" 0 complete
clean

ln -s elsewhere "$out"
receive good-4096 -f
told "a symbolic link is refused, even by force" 1 "isn't a regular file"
clean

receive backwards-overlapping
told "records in reverse order, overlapping" 0 complete
ok "records in reverse order, overlapping: the same file" cmp "$out" "$good"
clean

stream good-one-record | dd bs=7 status=none | "$vmrecv" -q "$out"
ok "a pipe in small pieces: the same file" cmp "$out" "$good"
clean

{ stream good-4096; echo more; } >"$T/stream"
run "$vmrecv" -q "$out" <"$T/stream"
told "what follows the end marker is warned of" 0 "warning: .*end marker"
clean

receive lost-page -q
told "pages that the sender lost are warned of" 0 "warning: .*could not read 1 of the pages"
is "pages that the sender lost: the header says it" "$(status_byte "$out")" 9
clean

if type -P makedumpfile >/dev/null; then
    stream backwards-overlapping | makedumpfile -R "$T/by-makedumpfile" >/dev/null 2>&1
    receive backwards-overlapping
    ok "makedumpfile -R makes the same file" cmp "$out" "$T/by-makedumpfile"
    clean
else
    skip "makedumpfile -R makes the same file" "no makedumpfile"
fi

stream good-4096 >"$T/stream"
"$vmrecv" -v "$out" <"$T/stream" 2>&-
ok "without a standard error, what is said doesn't go into the dump" cmp "$out" "$good"
clean

# --- cut and bad ones

receive no-end-marker
told "no end marker: 4, and how far it got" 4 "cut short.*vmcore.part has 8 of 8 pages"
is "no end marker: the .part is marked" "$(status_byte "$part")" 9
ok "no end marker: there is no final file" test ! -e "$out"
run "$vmrecv" --check "$part"
checked "no end marker: --check says incomplete" \
    "^4 $part: incomplete: 0 of 8 pages are missing, the rest is right; as it was written: CRC-32C of all bytes\$"
clean

receive cut-in-header
told "cut in the data: 4" 4 "cut short.*has [1-7] of 8 pages"
run "$vmrecv" --check "$part"
checked "cut in the data: --check finds the rest right" "^4 .*: incomplete: [1-7] of 8"
clean

stream good-4096 | head -c 9000 >"$T/stream"
clean
run "$vmrecv" "$out" <"$T/stream"
told "cut in the bitmaps: 3, nothing usable" 3 "cut short.*no reader will open it"
clean
if type -P python3 >/dev/null; then
    stream no-end-marker >"$T/stream"
    for bytes in 1000000 9000; do
        run python3 -c '
import socket, struct, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(server.getsockname())
theirs, _ = server.accept()
vmrecv = subprocess.Popen(sys.argv[3:], stdin=theirs.fileno())
ours.sendall(open(sys.argv[1], "rb").read(int(sys.argv[2])))
ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
ours.close()
sys.exit(vmrecv.wait())' "$T/stream" $bytes "$vmrecv" "$out"
        case $bytes in
        9000) told "a socket that is reset early: 3, nothing usable" 3 "reset by peer.*no reader will open it" ;;
        *) told "a socket that is reset: 4, as any cut" 4 "reset by peer.*vmcore.part has 8 of 8 pages" ;;
        esac
        clean
    done
else
    skip "a socket that is reset: 4, as any cut" "no python3"
    skip "a socket that is reset early: 3, nothing usable" "no python3"
fi

run "$vmrecv" "$out" </dev/null
told "nothing at all: 3" 3 "nothing came"
ok "nothing at all: leaves nothing" test ! -e "$part"
run "$vmrecv" --dir "$T/dir" --host idle </dev/null
is "nothing at all: leaves no directory" "$rc $(ls -A "$T/dir/idle")" "3 "
stream cut-in-header | "$vmrecv" -q --dir "$T/dir" --host idle 2>/dev/null
ok "what came of a dump that is cut short stays" test -s "$(echo "$T"/dir/idle/*/vmcore.part)"

# A stream into --dir: meta.json says what its dump says, of a part too.
json() { echo "$1 $(tr -d '\n' <"$(echo "$T/dir/$2"/*/meta.json)")"; }
if [[ $("$vmrecv" --version) == *"json: yes"* ]]; then
    stream good-4096 >"$T/stream"
    run "$vmrecv" -q --dir "$T/dir" --host web1 <"$T/stream"
    like "a stream into --dir: has meta.json, with the kernel's build-id" "$(json "$rc" web1)" \
        '^0 .*"status": "complete".*"build_id": "[0-9a-f]{40}".*"pages": 8,'
    like "a stream into --dir: meta.json says where its log is" "$(json "$rc" web1)" \
        '"kernel_log": null.*makedumpfile --dump-dmesg'
    like "a stream that is cut short: has meta.json, too" "$(json 4 idle)" '"status": "incomplete"'
else
    skip "a stream into --dir: has meta.json" "this build has no JSON"
fi

receive gap
told "an end marker behind a gap: 3, if no page is there" 3 "8 of 8 pages did not arrive"
ok "an end marker behind a gap: there is no final file" test ! -e "$out"
clean
receive past-2-63
told "an impossible record" 1 "byte 4576 of the stream: .*impossible range"
clean

run "$vmrecv" "$out" <"$good"
told "a regular dump on standard input" 1 "looks like a kdump-compressed file"
head -c 5000 "$vmrecv" >"$T/elf"
run "$vmrecv" "$out" <"$T/elf"
told "an ELF file on standard input" 1 "looks like an ELF file"
run "$vmrecv" "$out" <&-
told "no standard input" 1 "standard input.*Bad file descriptor"
ok "none of these leaves anything" test ! -e "$out" -a ! -e "$part"

if type -P script >/dev/null; then
    script -qec "'$vmrecv' '$out'" /dev/null </dev/null >"$T/said" 2>&1
    like "a terminal on standard input is refused" "$? $(<"$T/said")" "^2 .*is a terminal"
else
    skip "a terminal on standard input is refused" "no script(1)"
fi

# --- limits

receive good-4096 --max-size=32K
told "--max-size: 5" 5 "would get 32.6 KiB long; --max-size is 32.0 KiB"
ok "--max-size: is kept to" test "$(stat -c %s "$part")" -le 32768
clean
receive good-4096 --max-size=33347 -q
is "--max-size: just enough" "$rc" 0
clean

if unshare -rm true 2>/dev/null; then
    stream good-4096 >"$T/stream"
    mkdir -p "$T/small"
    # shellcheck disable=SC2016
    run unshare -rm bash -c '
        mount -t tmpfs -o size=28k tmpfs "$1/small" || exit 77
        "$2" --max-size=1M "$1/small/vmcore" <"$1/stream"
        rc=$?
        "$2" --check "$1/small/vmcore.part" | grep -q -e incomplete: -e verified:
        [[ $? == 0 && ! -e $1/small/vmcore ]] || exit 99
        exit $rc' - "$T" "$vmrecv"
    told "a full disk: 5, and the .part is mended" 5 "vmcore.part: write: No space left on device; .* has [1-7] of 8"
    tests/tools/mkcore "$T/core" 1M
    "$vmsend" -q -d 1 --stream=session "$T/core" >"$T/session" 2>/dev/null
    # shellcheck disable=SC2016
    run unshare -rm bash -c 'mount -t tmpfs -o size=0 tmpfs "$1/small" || exit 77
        "$2" -q "$1/small/a" <"$1/stream" && "$2" -q "$1/small/b" <"$1/session" && ls "$1/small"' - "$T" "$vmrecv"
    is "a file system that doesn't say what is free: takes it" "$rc $(xargs <"$T/out")" "0 a a.sums b b.json b.segments"
else
    skip "a full disk: 5, and the .part is mended" "no mount namespaces"
    skip "a file system that doesn't say what is free: takes it" "no mount namespaces"
fi

# --- stopped

mkfifo "$T/fifo"
"$vmrecv" "$out" <"$T/fifo" 2>"$T/err" &
pid=$!
exec 9>"$T/fifo"
stream no-end-marker >&9
for ((i = 0; i < 100; i++)); do
    [[ -s $part ]] && break
    sleep 0.05
done
sleep 0.2
kill -TERM $pid
wait $pid
rc=$?
exec 9>&-
told "SIGTERM: what came is kept" 4 "stopped by signal 15.*has 8 of 8 pages"
clean

# --- --check

run "$vmrecv" --check "$good"
checked "--check: a good dump" "^0 $good: complete: 8 pages, every page decompresses; no digests are beside it\$"
run "$vmrecv" --check -q "$good"
checked "--check -q: a good dump" "^0 \$"
for damage in payload-past-2-64 cut-in-table cut-in-data huge-bitmaps note-name-too-long; do
    run "$vmrecv" --check "$corpus/fuzz_dump/$damage"
    like "--check: $damage" "$rc $(<"$T/out")" "^1 .*: corrupt: [12] problems? in"
done
run "$vmrecv" --check "$good" "$corpus/fuzz_dump/cut-in-data" "$good"
is "--check: the worst of several" "$rc $(wc -l <"$T/out")" "1 3"
run "$vmrecv" --check "$T/stream"
told "--check: a flattened file is named as such" 1 "looks like a flattened dump \(vmrecv FILE < THIS"
run "$vmrecv" --check "$T/nowhere"
told "--check: a file that isn't there" 1 "nowhere: .*No such file"
run "$vmrecv" --check "$T/fifo"
told "--check: a FIFO isn't waited for" 1 "no regular file"
run "$vmrecv" --check "$vmrecv"
told "--check: an ELF file" 1 "ELF"

# --- --info

run "$vmrecv" --info "$good"
is "--info: exit status" "$rc" 0
for want in "release +6.1.0-tiny" "node name +tiny" "crash time +2026-11-22 21:33:17 UTC" "dump level +31: without zero" \
    "RAM +76 pages, pfns below 84" "in the dump +8 pages" "complete +yes" "OSRELEASE=6.1.0-tiny"; do
    like "--info: $want" "$(<"$T/out")" "$want"
done
cp "$good" "$T/hostile"
printf 'a\033[2J\nrelease  6.66\377' | dd of="$T/hostile" bs=1 seek=77 conv=notrunc status=none
run "$vmrecv" --info "$T/hostile"
like "--info: hostile names are escaped" "$(<"$T/out")" 'node name +a\\x1b\[2J\\x0arelease  6.66\\xff'
ok "--info: no control characters" bash -c "! LC_ALL=C grep -q '[^[:print:]]' '$T/out'"
run "$vmrecv" --info "$corpus/fuzz_dump/cut-in-table"
told "--info: a damaged dump: what there is, and 1" 1 "cut-in-table: descriptor"
like "--info: a damaged dump: what there is" "$(<"$T/out")" "release +6.1.0-tiny"

run "$vmrecv" --info --json "$good" "$T/hostile"
if [[ $(<"$T/err") == *"not part of this build"* ]]; then
    skip "--json: parses" "not part of this build"
elif type -P python3 >/dev/null; then
    ok "--json: parses, and has an object per file" python3 -c '
import json, sys
a = json.load(open(sys.argv[1]))
assert len(a) == 2 and a[0]["release"] == "6.1.0-tiny" and a[0]["pages"]["present"] == 8, a
assert a[1]["nodename"].startswith("a\\x1b[2J\\x0a"), a[1]
assert a[0]["complete"] is True and a[0]["codecs"]["raw"] >= 1' "$T/out"
else
    skip "--json: parses" "no python3"
fi
run "$vmrecv" --info "$good" >/dev/full
"$vmrecv" --info "$good" >/dev/full 2>"$T/err"
is "--info: a full standard output is an error" $? 1

# --- the command line

while read -r want args; do
    eval "run \"\$vmrecv\" $args" </dev/null
    told "usage: $args" 2 "${want//_/ }"
done <<'ROWS'
name_the_FILE
name_a_FILE --check
name_a_FILE --info
one_FILE a b
empty_name ''
unknown_option_-x -x a
unknown_option_--nonsense --nonsense a
--max-size:.*isn't_a_size --max-size=x a
--max-size:.*isn't_from --max-size=0 a
--max-size:.*isn't_from_1_to_8388607T --max-size=8388608T a
--max-size:.*isn't_a_size --max-size=16777216T a
--max-sessions:.*isn't_a_number_from_1_to_4096 --max-sessions=0 --listen :0 --plain-from 127.0.0.1
--max-sessions:.*isn't_a_number_from_1_to_4096 --max-sessions=4097 --listen :0 --plain-from 127.0.0.1
--max-sessions:.*isn't_a_number_from_1_to_4096 --max-sessions=4294967297 --listen :0 --plain-from 127.0.0.1
--timeout:.*isn't_from_2s_to_60m --timeout=1 --stdio
--timeout:.*isn't_from_2s_to_60m --timeout=61m --stdio
--timeout:.*isn't_from_2s_to_60m --timeout=4294969s --stdio
--num-threads:.*isn't_a_number --num-threads=4294967297 --check a
--tls-crl_goes_with_--tls-ca --tls-crl=x --tls-psk=x --listen :0
--plain-from:.*isn't_a_network --plain-from=10.0.0.0/33 --listen :0
--plain-from:.*isn't_a_network --plain-from=10.0.0.0/4294967304 --listen :0
--listen:_"7777"_isn't_ADDR:PORT --listen 7777
--listen:.*an_IPv6_address_needs_brackets --listen ::1:7777
--listen:.*link-local_address,_which_needs_its_interface --listen [fe80::1]:7777
the_port_of.*":99999":_"99999"_isn't_a_number_from_0_to_65535 --listen :99999 --dir "$T" --plain-from 127.0.0.1
the_port_of.*"65536"_isn't_a_number --listen 127.0.0.1:65536 --dir "$T" --plain-from 127.0.0.1
the_port_of.*"http"_isn't_a_number --listen 127.0.0.1:http --dir "$T" --plain-from 127.0.0.1
needs_an_argument --max-size
takes_no_argument --check=5 a
--progress:.*none_of_auto --progress=loud a
--num-threads:.*isn't_a_number --num-threads=1000 --check a
--json_goes_with --json a
ROWS

run "$vmrecv" --help
is "--help: standard output, 0" "$rc $(<"$T/err")" "0 "
is "--help: at most 80 columns" "$(awk 'length > 80' "$T/out")" ""
options=$(grep -o -- '--[a-z][a-z-]*' "$T/out" | sort -u)
for option in $options; do
    # mdoc writes --name as Fl Fl name.
    ok "the manual has $option" grep -q -e "Fl Fl ${option#--}\b" docs/vmrecv.8
done
is "--help: is sorted" "$(sed -n 's/^  \(-., \|    \)\(--[a-z-]*\).*/\2/p' "$T/out" | sort -c 2>&1)" ""
run "$vmrecv" --version
like "--version: what was built in" "$rc $(<"$T/out")" '^0 vmrecv [0-9.]+.*codecs: .*zlib.*json: '

done_testing
