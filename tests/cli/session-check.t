#!/usr/bin/env bash
# What vmrecv --check makes of a dump that came in a session, by the segments beside it: what decompresses well
# and yet isn't what was sent is found by its digest.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

peek() { tests/tools/peek "$@"; }

# checked NAME WANT: the last run of --check ended with this status and, in $T/out, a match of WANT.
checked() { like "$1" "$rc $(<"$T/out")" "$2"; }

tests/tools/mkcore "$T/core" 2M
"$vmsend" -q -d 0 --compress=none --stream=session "$T/core" >"$T/session" 2>"$T/err"
dump=$T/dump
mkfifo "$T/fifo"

# fresh: the dump as it came.
fresh() {
    rm -f "$dump"*
    run "$vmrecv" -q "$dump" <"$T/session"
}

fresh
is "a session is received" "$rc" 0
ok "with the table of its segments" test -s "$dump.segments"
run "$vmrecv" --check "$dump"
checked "the digest is recomputed from the file" '^0 .*: complete: [0-9]+ pages, all right; as it was sent: digest [0-9a-f]{64}$'
digest=$(sed 's/.* //' "$T/out")
if [[ -e $dump.json ]]; then
    like "it is the one that was agreed on" "$(<"$dump.json")" "\"digest\": \"$digest\""
else
    skip "it is the one that was agreed on" "this build has no JSON"
fi

# The first page that is stored, and the one behind it: PFN OFFSET SIZE FLAGS.
mapfile -t descs < <(peek desc "$dump" $(seq 0 1023) | grep -v ' -$' | head -n 2)
read -r _ first_off _ _ <<<"${descs[0]}"
read -r _ second_off _ _ <<<"${descs[1]}"
byte=$(od -An -tx1 -j$((first_off + 99)) -N1 "$dump" | tr -d ' ')

peek poke "$dump" $((first_off + 99)) "$(printf %02x $((0x$byte ^ 1)))"
run "$vmrecv" --check "$dump"
checked "a flipped byte of a raw page is found" '^1 .*: corrupt'
like "and told where" "$(<"$T/err")" "$dump.segments: .*bytes at [0-9]+ of the file differ from what was sent"

# The first page's descriptor leads to the second page.
fresh
table=$(peek layout "$dump" | sed -n 's/^desc=//p')
peek poke "$dump" "$table" "$(printf %016x "$second_off" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\8\7\6\5\4\3\2\1/')"
run "$vmrecv" --check "$dump"
checked "a descriptor that leads to another page is found" '^1 .*: corrupt'
rm "$dump.segments"
run "$vmrecv" --check "$dump"
checked "which nothing but the digest tells" '^0 .*: complete: [0-9]+ pages, every page decompresses; no digests are beside it$'

fresh
truncate -s -1 "$dump.segments"
run "$vmrecv" --check "$dump"
checked "without its end the journal proves as much" '^0 .*as it was sent: digest'

rm "$dump.segments"
mkdir "$dump.segments"
run "$vmrecv" --check "$dump"
checked "a journal that can't be read proves nothing, of either kind" "^1 $dump: not verified: what was sent can't be read\$"
rmdir "$dump.segments"
for damage in '' garbage; do
    printf %s "$damage" >"$dump.segments"
    run "$vmrecv" --check "$dump"
    checked "nor does one of \"$damage\"" "^1 $dump: not verified: what was sent can't be read\$"
done

# Of a session that broke off, one way: a part, and what of it is proved.
size=$(stat -c %s "$T/session")
rm -f "$dump"*
head -c $((size - 100)) "$T/session" >"$T/cut"
run "$vmrecv" -q "$dump" <"$T/cut"
is "a session that broke off is incomplete" "$rc" 4
run "$vmrecv" --check "$dump.part"
checked "its part is checked as far as it goes" '^4 .*: incomplete: .*as it was sent: digest'
rm "$dump.part.segments"
run "$vmrecv" --check "$dump.part"
checked "and without its segments, too" '^4 .*: incomplete: .* the rest decompresses; no digests are beside it$'

# What isn't to be replaced is left as it is, with what proves it.
fresh
run "$vmrecv" "$dump" <"$T/session"
told "a dump that exists is refused" 1 "$dump exists; --force replaces it"
run "$vmrecv" --check "$dump"
checked "and its segments prove it as before" "^0 .*; as it was sent: digest $digest\$"

# What is to be replaced stays until then, with what is beside it, next to a part of another dump: what is said of one isn't
# held against the other.
# log: one beside it, as a session leaves it.
log() { echo log >"$dump-dmesg.txt"; }
"$vmsend" -q -d 1 --compress=none --stream=session "$T/core" >"$T/other" 2>"$T/err"
head -c $(($(stat -c %s "$T/other") - 100)) "$T/other" >"$T/cut"
log
cat "$dump"* >"$T/before"
run "$vmrecv" -qf "$dump" <"$T/cut"
is "a session into its place that broke off is incomplete" "$rc" 4
run "$vmrecv" --check "$dump"
checked "the dump that was there is right" "^0 .*; as it was sent: digest $digest\$"
run "$vmrecv" --check "$dump.part"
checked "and so is the part as far as it goes" '^4 .*: incomplete: .*as it was sent: digest'
mkdir "$T/aside"
mv "$dump.part"* "$T/aside"
ok "and nothing beside it was touched" cmp "$T/before" <(cat "$dump"*)
cp "$T/aside"/* "$T"
run "$vmrecv" -qf "$dump" <"$T/other"
like "when it has come, nothing is left of the other" "$rc $(cd "$T" && echo dump*)" '^0 dump( dump.json)? dump.segments$'
run "$vmrecv" --check "$dump"
checked "and what there is proves it" "^0 .*; as it was sent: digest"
[[ ! -e $dump.json ]] || like "and tells of it" "$(<"$dump.json")" "\"digest\": \"$(sed 's/.* //' "$T/out")\""

# What tells of it can't be written in the end: it is there all the same, and what proves it is its own.
fresh
if [[ -e $dump.json ]]; then
    {
        head -c 100000 "$T/other"
        until [[ -e $dump.part.json ]]; do sleep 0.05; done
        mkdir -p "$dump.part.json.part/in the way"
        tail -c +100001 "$T/other"
    } >"$T/fifo" &
    run "$vmrecv" -qf "$dump" <"$T/fifo"
    wait
    told "a meta.json that can't be written is told of" 0 "$dump.part.json"
    run "$vmrecv" --check "$dump"
    checked "and the dump isn't judged by what was there" "^0 .*; as it was sent: digest"
    rm -rf "$dump.part.json.part"
fi

fresh
"$vmsend" -q -d 1 --compress=none -F "$T/core" 2>"$T/err" >"$T/stream"
head -c 200000 "$T/stream" | "$vmrecv" -qf "$dump" 2>"$T/err"
run "$vmrecv" --check "$dump"
checked "beside the part of a stream, segments are the dump's" "^0 .*; as it was sent: digest $digest\$"
run "$vmrecv" --check "$dump.part"
checked "and not the part's" '^4 .*: incomplete: .* the rest is right; as it was written: CRC-32C of all bytes$'

# A stream takes the place of a session's dump: nothing of that stays to be held against it, or to tell of it.
fresh
log
"$vmrecv" -qf "$dump" <"$T/stream"
run "$vmrecv" --check "$dump"
checked "a dump that took its place isn't judged by it" '^0 .*: complete: [0-9]+ pages, all right; as it was written: CRC-32C of all bytes$'
is "nor told of" "$(cd "$T" && echo dump*)" "dump dump.sums"
log
run "$vmrecv" -qf "$dump" <"$T/stream"
is "a log that no session has brought stays" "$rc $(cd "$T" && echo dump*)" "0 dump dump-dmesg.txt dump.sums"

# Without --force, what tells of a dump is as safe as the dump.
for name in dump.segments dump.json dump-dmesg.txt dump.part.segments dump.part.json dump.part-dmesg.txt; do
    rm -f "$dump"*
    echo mine >"$T/$name"
    run "$vmrecv" "$dump" <"$T/session"
    told "$name that exists is refused" 1 "$T/$name exists; --force replaces it"
    is "$name is as it was, alone" "$(cd "$T" && echo dump*) $(<"$T/$name")" "$name mine"
done
rm -f "$dump"*
touch "$dump.segments"
run "$vmrecv" "$dump" <"$T/stream"
told "a stream: segments that exist are refused" 1 "$dump.segments exists; --force replaces it"

# What a part once had beside it, without its segments, is of no dump that a stream brings.
rm -f "$dump"*
for name in dump.json dump-dmesg.txt dump.part.json dump.part-dmesg.txt; do echo "$name" >"$T/$name"; done
cat "$dump"?* >"$T/before"
run "$vmrecv" -q "$dump" <"$T/stream"
is "a stream comes to lie beside what no segments tell of" "$rc" 0
rm "$dump.sums"
ok "and leaves it as it was" cmp "$T/before" <(cat "$dump"?*)

# HELLO, and no more: nothing that a next one would be refused for.
rm -f "$dump"*
head -c $((24 + $(od -An -tu4 -j8 -N4 "$T/session"))) "$T/session" >"$T/hello"
run "$vmrecv" -q "$dump" <"$T/hello"
is "a session that brings nothing leaves nothing" "$rc $(cd "$T" && echo dump*)" "3 dump*"

done_testing
