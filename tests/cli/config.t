#!/bin/bash
# Configuration files: both programs read theirs, the command line wins, and a bad line is named.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

core=$T/core
ok "there is a core" tests/tools/mkcore --every 1 "$core" 1M
conf=$T/conf
write() { printf '%s\n' "$@" >"$conf"; }

# --- vmsend

write "dump-level = 1" "nonsense = 3"
run "$vmsend" --config "$conf" "$core" "$T/dump"
told "vmsend: a bad line, by file and number" 2 "^vmsend: $conf:2: unknown option \"nonsense\": a line is NAME or NAME = VALUE, as in --help$"
run "$vmsend" --config "$T/missing" "$core" "$T/dump"
told "vmsend: a file that isn't there" 2 "^vmsend: $T/missing: No such file or directory$"
ok "vmsend: and there is no dump" test ! -e "$T/dump"
write "quiet" "num-threads = 0" "compress = none" "sums = none" "to = file:$T/by-config"
run "$vmsend" --config "$conf" "$core"
is "vmsend: does what the file says" "$rc $(cd "$T" && echo by-*)" "0 by-config"
run "$vmsend" --config "$conf" "$core" "$T/by-line"
is "vmsend: a DUMPFILE takes the place of the file's destinations" "$rc $(cd "$T" && echo by-*)" "0 by-config by-line"
ok "vmsend: and the rest of the file still counts" cmp "$T/by-line" "$T/by-config"
run "$vmsend" --config "$conf" "$core" --to "file:$T/by-to"
is "vmsend: and so does --to" "$rc $(cd "$T" && echo by-*)" "0 by-config by-line by-to"

for line in flattened "stream = session"; do
    write quiet "sums = none" "$line"
    rm -f "$T"/by-*
    run "$vmsend" --config "$conf" "$core" "$T/by-line"
    is "vmsend: a DUMPFILE takes the place of the file's $line" "$rc $(cd "$T" && echo by-*)" "0 by-line"
    run "$vmsend" --config "$conf" "$core" --to "file:$T/by-to"
    is "vmsend: --to takes the place of the file's $line" "$rc $(cd "$T" && echo by-*)" "0 by-line by-to"
    run "$vmsend" --config "$conf" --mem-usage "$core"
    is "vmsend: a report takes the place of the file's $line" "$rc $(grep -c '^all' "$T/out")" "0 1"
done
run "$vmsend" --config "$conf" -F "$core"
is "vmsend: --flattened takes the place of the file's stream" "$rc $(head -c 12 "$T/out")" "0 makedumpfile"
write "sums = none" "to = file:$T/by-config" "stream = session"
run "$vmsend" --config "$conf" --stream=flattened "$core"
is "vmsend: --stream takes the place of the file's stream alone" "$rc $(cd "$T" && echo by-c*)" "0 by-config"

# --- vmrecv

corpus=tests/fuzz/corpus
good=$corpus/fuzz_dump/good
write "dir = $T/dumps" "" "listen" "tls-psk = $T/psk"
run "$vmrecv" --config "$conf"
told "vmrecv: a bad line, by file and number" 2 "^vmrecv: $conf:3: listen needs a value: \"listen = ADDR:PORT\"$"
write "config = $conf"
run "$vmrecv" --config "$conf"
told "vmrecv: a file can't name another" 2 "^vmrecv: $conf:1: config: a file can't name another$"
run "$vmrecv" --config "$T/missing" --check "$good"
told "vmrecv: a file that isn't there" 2 "^vmrecv: $T/missing: No such file or directory$"
write "listen = 127.0.0.1:0" "dir = $T/dumps" "plain-from = 127.0.0.1"
run "$vmrecv" --config "$conf" --listen nonsense
told "vmrecv: --listen takes the place of the file's" 2 '"nonsense" isn.t ADDR:PORT'
run "$vmrecv" --config "$conf" --info "$good"
is "vmrecv: --info is no collector, whatever the file says" "$rc" 0
run "$vmrecv" --config "$conf" "$T/vmcore" <"$T/by-line"
told "vmrecv: nor is a FILE" 1 "standard input is no flattened stream"
write "max-size = 1"
run bash -c '"$1" -F -q "$2" | "$3" --config "$4" "$5"' - "$vmsend" "$core" "$vmrecv" "$conf" "$T/vmcore"
is "vmrecv: does what the file says" "$rc $(grep -c vmrecv: "$T/err")" "5 1"
done_testing
