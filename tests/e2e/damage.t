#!/bin/bash
# Streams that are cut short, damaged or noise: vmrecv says so in one line, publishes nothing, and what it keeps is
# honest: each page that is there is right, the others are told missing. All of a small vmcore that is made here.
#
# SEED=N repeats the random part of a run.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/cut.sh
. "$(dirname "$0")/../lib/cut.sh"
SEED=${SEED:-$((EPOCHSECONDS % 100000))}

tests/tools/mkcore "$T/core" 16M
prepare "$T/core" -d 0 --compress=none
cut_at "small: empty" 0 "empty"
cut_at "small: in the stream's header" 20
cut_at "small: before the end of the stream's header" 4095
cut_all small < <(places <"$T/records")

# --- damage

# damaged NAME STATUS REGEX AT HEX: the small stream with other bytes there.
damaged() {
    rm -f "$T"/cut*
    cp "$T/stream" "$T/bad"
    peek poke "$T/bad" "$4" "$5"
    run "$vmrecv" "$T/cut" <"$T/bad"
    told "$1: says so" "$2" "$3"
    ok "$1: nothing is published" test ! -e "$T/cut"
}
record() { sed -n "$(($1 + 1))s/ .*//p" "$T/records"; }
last=$(($(wc -l <"$T/records") - 2))
main=$(($(record 0) + 16)) sub=$(($(record 1) + 16)) descs=$(($(record "$last") + 16))

damaged "no signature" 1 "no flattened" 0 58
damaged "another type" 1 "type 2" 23 02
damaged "another version" 1 "version 7" 31 07
damaged "a negative offset" 1 "impossible range" "$(record 2)" ffffffffffffff00
damaged "a negative size" 1 "impossible range" $(($(record 2) + 8)) ffffffffffffff00
damaged "a size of 0" 1 "impossible range" $(($(record 2) + 8)) 0000000000000000
damaged "an end past 2^63" 1 "impossible range" "$(record 2)" 7fffffffffffffff
damaged "an offset that no dump has" 5 "" "$(record 2)" 0fffffffffffffff
damaged "a size that no dump has" 5 "" $(($(record 2) + 8)) 0fffffffffffffff
damaged "the end marker's half" 4 "impossible range" $(($(record $((last + 1))) + 8)) 0000000000000001
damaged "a block size of 0" 1 "" $((main + 428)) 00000000
damaged "a block size of 5000" 1 "" $((main + 428)) 88130000
damaged "bitmaps of 2^32 blocks" 3 "bitmap" $((main + 436)) ffffffff
damaged "a sub header of 2^32 blocks" 3 "bitmap" $((main + 432)) ffffffff
damaged "2^63 pages" 1 "" $((sub + 96)) 0000000000000080
damaged "notes outside of the file" 1 "" $((sub + 48)) ffffffffffffff7f

# A descriptor that can't be is not seen on the way, for pages aren't looked at; but by --check.
cp "$T/stream" "$T/bad"
peek poke "$T/bad" "$descs" ffffffffffffff7f
rm -f "$T"/cut*
run "$vmrecv" "$T/cut" <"$T/bad"
((rc == 0)) && { run "$vmrecv" --check "$T/cut"; }
is "a descriptor that points behind the end: is found" "$((rc != 0 && rc < 128)) $(wc -l <"$T/err")" "1 1"

# --- noise

# survives NAME: whatever it makes of $T/bad, it ends by itself, in good order.
survives() {
    local bad=
    rm -f "$T"/cut*
    run "$vmrecv" -q "$T/cut" <"$T/bad"
    ((rc < 6)) || bad="exit status $rc"
    ((rc == 0)) || [[ $(wc -l <"$T/err") == 1 ]] || bad+=" not one line"
    ((rc == 0)) || [[ ! -e $T/cut ]] || bad+=" but published"
    if [[ -z $bad && -e $T/cut.part ]]; then
        run "$vmrecv" --check -q "$T/cut.part"
        ((rc == 1 || rc == 4 || rc == 5)) || bad="--check: exit status $rc"
    fi
    if [[ -z $bad ]]; then pass "$1"; else fail "$1 (SEED=$SEED)" "$bad"$'\n'"$(head -c 3000 "$T/err")"; fi
}
head -c 100000 /dev/urandom >"$T/bad"
survives "random bytes"
{ head -c 4096 "$T/stream"; head -c 100000 /dev/urandom; } >"$T/bad"
survives "random records"
{ head -c $(($(record 2) + 16)) "$T/stream"; head -c 100000 /dev/urandom; } >"$T/bad"
survives "random notes"
RANDOM=$SEED
head -c "$descs" "$T/stream" >"$T/small" # without most of the pages, for speed
for ((i = 0; i < ${FULL:+900} + 100; i++)); do
    cp "$T/small" "$T/bad"
    for ((j = 0; j < 1 + RANDOM % 8; j++)); do
        # Somewhere in the headers, where it matters most, or anywhere.
        at=$((RANDOM % 3 ? 4096 + RANDOM % 8192 : (RANDOM * 32768 + RANDOM) % descs))
        peek poke "$T/bad" "$at" "$(printf '%02x' $((RANDOM % 256)))"
    done
    survives "random change $i"
done
diag <<<"SEED=$SEED"
done_testing
