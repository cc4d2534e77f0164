#!/usr/bin/env bash
# DUMPFILE.sums and FILE.sums: made by both programs beside a plain file, and what --check makes of them.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

dump=$T/dump
tests/tools/mkcore "$T/core" 4M
"$vmsend" -q -d 1 --compress=none -F "$T/core" >"$T/stream" 2>"$T/err"
half=$(($(stat -c %s "$T/stream") / 2))

# checked NAME WANT: the last run of --check ended with this status and, in $T/out, a match of WANT.
checked() { like "$1" "$rc $(<"$T/out")" "$2"; }

# flip FILE OFFSET: another byte there.
flip() {
    local byte
    byte=$(od -An -tu1 -j"$2" -N1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# --- what makes them

"$vmsend" -q -d 1 --compress=none "$T/core" "$dump"
"$vmrecv" -q "$T/received" <"$T/stream"
ok "a file and a stream put together have the same sums" cmp "$dump.sums" "$T/received.sums"
is "they are their owner's" "$(stat -c %a "$dump.sums")" 600
is "they have every byte of the dump" \
    "$(sed -n 's/^size //p' "$dump.sums") $(awk '$1 ~ /^[0-9]/ { n += $2 } END { print n }' "$dump.sums")" \
    "$(stat -c '%s %s' "$dump")"
run "$vmrecv" --check "$dump"
checked "--check: says what proves the dump" '^0 .*: complete: [0-9]+ pages, all right; as it was written: CRC-32C of all bytes$'
"$vmsend" -qf -d 1 --compress=none --sums=sha256 "$T/core" "$dump"
run "$vmrecv" --check "$dump"
checked "--sums=sha256: is what proves it then" '^0 .*; as it was written: SHA-256 of all bytes$'
"$vmrecv" -qf --sums=sha256 "$T/received" <"$T/stream"
ok "--sums=sha256: of a stream, too" cmp "$dump.sums" "$T/received.sums"
want=$(head -c $((1 << 20)) "$dump" | tail -c +4097 | sha256sum)
is "SHA-256 is what sha256sum makes of the chunk" "$(awk '$1 == 4096 { print $4 }' "$dump.sums")" "${want%% *}"
"$vmsend" -qf -d 1 --sums=none "$T/core" "$dump"
is "--sums=none: leaves none, nor those of the dump before" "$(cd "$T" && echo dump*)" dump
"$vmrecv" -qf --sums=none "$T/received" <"$T/stream"
is "--sums=none: of a stream, too" "$(cd "$T" && echo received*)" received
run "$vmrecv" --check "$dump"
checked "--check: says that nothing proves the dump" '^0 .*: complete: [0-9]+ pages, every page decompresses; no digests are beside it$'
for program in "$vmsend" "$vmrecv"; do
    run "$program" --sums=md5 "$T/core" </dev/null
    told "${program##*/} --sums: names what there is" 2 "none, crc32c, sha256"
done
mkdir "$T/disk" "$T/dir"
"$vmsend" -q -d 1 --to "file:$T/disk/" "$T/core"
ok "file: has them" "$vmrecv" -q --check "$T"/disk/*.vmcore
like "file: has them" "$(cd "$T/disk" && echo *)" 'vmcore\.sums$'
run "$vmrecv" --dir "$T/dir" --host web1 <"$T/stream"
run "$vmrecv" --check "$(<"$T/out")"
checked "--dir: has them, of a stream" '^0 .*CRC-32C'
collect --plain-from 127.0.0.1 --sums=sha256
cat "$T/stream" >"/dev/tcp/127.0.0.1/$port"
hears "a collector takes a stream" 'complete, [0-9]+ pages'
stop_collector
run "$vmrecv" --check "$T"/dumps/127.0.0.1/*/vmcore
checked "--listen: has those of --sums, of a stream" '^0 .*SHA-256 of all bytes$'
rm -r "$T/dumps"
"$vmsend" -q -d 1 --stream=session "$T/core" | "$vmrecv" -qf "$T/received"
is "a session leaves none: its segments have digests" "$(cd "$T" && echo received*.sums)" 'received*.sums'

# --- what they find

"$vmsend" -qf -d 1 --compress=none "$T/core" "$dump"
cp "$dump" "$T/good"
flip "$dump" 500000
run "$vmrecv" --check "$dump"
checked "a flipped byte of a page that decompresses is found" '^1 .*: corrupt: it isn.t what was written$'
like "and named by where it is" "$(<"$T/err")" "the [0-9]+ bytes at 4096 differ from $dump.sums"
cp "$T/good" "$dump"
flip "$dump" 3
run "$vmrecv" --check "$dump"
checked "one of the header, by which it is a dump, too" '^1 .*: corrupt: it isn.t what was written$'
cp "$T/good" "$dump"
echo more >>"$dump"
run "$vmrecv" --check "$dump"
like "bytes that no sum has are told" "$rc $(<"$T/err")" "^1 .*the bytes from $(stat -c %s "$T/good") on are in none of the sums"
cp "$T/good" "$dump"
sed -i '3s/^0 /1 /' "$dump.sums"
run "$vmrecv" --check "$dump"
checked "damaged sums don't make it corrupt" '^1 .*: not verified: every page that is there decompresses'
like "damaged sums are called that" "$(<"$T/err")" "$dump.sums proves nothing of it: it is damaged: line 3"
"$vmsend" -qf -d 31 "$T/core" "$T/other" 2>"$T/err"
cp "$T/other.sums" "$dump.sums"
run "$vmrecv" --check "$dump"
checked "nor do another dump's" '^1 .*: not verified: '
like "which are told from its own" "$(<"$T/err")" "proves nothing of it: it is of (another file|a file of)"

# --- while it is being written

mkfifo "$T/fifo"
rm -f "$dump"*
head -c $half "$T/stream" | "$vmrecv" -q "$dump" 2>"$T/err"
run "$vmrecv" --check "$dump.part"
checked "a part has its own" '^4 .*: incomplete: .* the rest is right; as it was written: CRC-32C'
{
    head -c $half "$T/stream"
    until [[ -e $T/killed ]]; do sleep 0.05; done
} >"$T/fifo" &
"$vmrecv" -qf "$dump" <"$T/fifo" 2>"$T/err" &
pid=$!
until [[ ! -e $dump.part.sums && -s $dump.part ]] || ! kill -0 $pid; do sleep 0.05; done
kill -KILL $pid
touch "$T/killed"
wait
is "a receiver that is killed leaves none that aren't of what is there" "$(cd "$T" && echo dump*)" dump.part

done_testing
