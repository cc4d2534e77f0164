#!/bin/bash
# What goes wrong while vmsend dumps a real vmcore: it says so in one line, keeps what is of use, and
# nothing that is not whole gets the final name.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$MAKEDUMPFILE"
use_core k61-512m

# --- the way out

run bash -c '"$1" -q -d 1 -F "$2" >/dev/full' - "$vmsend" "$core"
told "a full device: says so, exit status 5" 5 "No space left on device"
run bash -c 'set -o pipefail; "$1" -q -d 1 -F "$2" 2>"$3" | head -c 100000 >/dev/null; exit "${PIPESTATUS[0]}"' - \
    "$vmsend" "$core" "$T/piped"
cp "$T/piped" "$T/err"
told "a reader that goes: says so, exit status 3" 3 "Broken pipe"
run bash -c 'ulimit -f 20000; "$@"' - "$vmsend" -q -d 1 "$core" "$T/dump"
told "a file that may not get so long: says so; exit status 4 as there is a part" 4 "File too large"
is "and is kept as .part, not published" "$(cd "$T" && echo dump*)" "dump.part dump.part.sums"
run pagecmp --missing "$core" "$T/dump.part"
is "and what is there is right" "$rc $(<"$T/err")" "0 "
run "$vmrecv" --check -q "$T/dump.part"
is "and vmrecv --check calls it incomplete" "$rc" 4
rm -f "$T"/dump*

# --- a signal in the middle: compressing hard takes long enough for it to come there

for threads in 0 2; do
    for signal in TERM INT; do
        what="SIG$signal, $threads threads"
        env --default-signal=INT "$vmsend" -q -d 1 --compress=zlib:9 --num-threads $threads "$core" "$T/dump" 2>"$T/err" &
        pid=$!
        for ((i = 0; i < 3000; i++)); do
            [[ -e $T/dump.part && $(stat -c %s "$T/dump.part") -gt 20000000 ]] && break
            sleep 0.01
        done
        kill -"$signal" $pid
        wait $pid
        rc=$?
        told "$what: ends in order" 4 "stopped by a signal"
        is "$what: .part is kept, not published" "$(cd "$T" && echo dump*)" "dump.part dump.part.sums"
        run "$vmrecv" --check -q "$T/dump.part"
        is "$what: vmrecv --check calls it incomplete" "$rc" 4
        run pagecmp --missing "$core" "$T/dump.part"
        is "$what: what is there is right" "$rc $(<"$T/err")" "0 "
        like "$what: pages are missing" "$(tail -n 1 "$T/out")" 'missing [1-9]'
        rm -f "$T"/dump*
    done
done
"$vmsend" -q -d 1 --compress=zlib:9 --num-threads 2 "$core" "$T/dump" 2>/dev/null &
pid=$!
for ((i = 0; i < 3000; i++)); do
    [[ -e $T/dump.part && $(stat -c %s "$T/dump.part") -gt 20000000 ]] && break
    sleep 0.01
done
kill -KILL $pid
wait $pid 2>/dev/null
is "SIGKILL: .part is there, nothing is published" "$(cd "$T" && echo dump*)" dump.part
is "SIGKILL: its status has the incomplete bit" $(($(peek status "$T/dump.part") & 8)) 8
rm -f "$T"/dump*

# --- the vmcore cut in the middle

size=$(stat -c %s "$core")
for cut in $((size / 2)) $((size / 3 + 100)); do
    head -c "$cut" "$core" >"$T/half"
    run "$vmsend" -q -d 1 -f "$T/half" "$T/dump"
    told "a vmcore cut at $cut: says where, exit status 4" 4 "warning: .*cut short at byte $cut"
    run pagecmp --missing "$T/half" "$T/dump"
    is "a vmcore cut at $cut: all that is there is in the dump" "$rc $(<"$T/err")" "0 "
    like "a vmcore cut at $cut: the others are missing" "$(tail -n 1 "$T/out")" 'missing [1-9]'
    is "a vmcore cut at $cut: the status has the incomplete bit" $(($(peek status "$T/dump") & 8)) 8
    rm -f "$T"/dump*
done
rm "$T/half"

# --- a vmcore without the pages that makedumpfile took out

ok "makedumpfile -E -d 31" "$MAKEDUMPFILE" -E -d 31 "$core" "$T/filtered"
for level in 0 1; do
    run "$vmsend" -q -d $level --num-threads 2 -f "$T/filtered" "$T/dump"
    is "pages excluded before, -d $level: done, without a word" "$rc $(<"$T/err")" "0 "
    run pagecmp "$T/filtered" "$T/dump"
    is "pages excluded before, -d $level: are excluded, all others are there" "$rc $(<"$T/err")" "0 "
    like "pages excluded before, -d $level: there are such" "$(<"$T/out")" 'excluded [1-9]'
done
done_testing
