#!/bin/bash
# vmsend as its users meet it, with vmcores that are made here: what it takes, what it refuses, what it says, its
# exit status.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3 script

core=$T/core
tests/tools/mkcore "$core" 16M
nameless='the kernel.s name'  # the warning of all cores that mkcore makes: there is no kernel in them

# bad NAME STATUS REGEX ARGUMENT...: vmsend refuses, in one line on standard error.
bad() {
    local what=$1 status=$2 regex=$3
    shift 3
    run "$vmsend" "$@"
    told "$what" "$status" "^vmsend: .*$regex"
    is "$what: nothing on standard output" "$(wc -c <"$T/out")" 0
}

# --- the command line

bad "an unknown option" 2 "--frobnicate" --frobnicate "$core"
bad "an unknown letter" 2 "-X" -X "$core"
bad "an option without its argument" 2 "--dump-level" "$core" --dump-level
bad "an argument too many" 2 "one argument too many" "$core" "$T/dump" more
bad "-F with a DUMPFILE" 2 "--flattened" -F "$core" "$T/dump"
for level in 32 -1 x '' 1x 0,32; do bad "dump level \"$level\"" 2 "--dump-level" -d "$level" "$core"; done
for codec in lz4 zlib: zlib:x zlib:99 zstd:-200000 ''; do
    bad "codec \"$codec\"" 2 "--compress" --compress="$codec" "$core"
done
for threads in -1 x 100000 ''; do bad "\"$threads\" threads" 2 "--num-threads" --num-threads="$threads" "$core"; done
for size in x -1 '' 1Q 99999999999T; do bad "memory \"$size\"" 2 "--memory" --memory="$size" "$core"; done
bad "another access" 2 "auto, mmap, read" --access=dma "$core"
bad "another progress" 2 "auto, tty, lines, json" --progress=often "$core"
bad "message level 32" 2 "--message-level" --message-level 32 "$core"
run script -qec "'$vmsend' '$core'" /dev/null
like "a terminal: is refused" "$(<"$T/out")" "standard output is a terminal.*"
is "a terminal: exit status" "$rc" 2

run "$vmsend" --version
is "--version: exit status" "$rc $(wc -c <"$T/err")" "0 0"
like "--version: what was built in" "$(<"$T/out")" "vmsend [0-9.]+.*codecs: .*zlib"
run "$vmsend" --help
is "--help: exit status" "$rc $(wc -c <"$T/err")" "0 0"
run bash -c '"$1" --help >/dev/full' - "$vmsend"
is "--help to a full device: fails" "$rc" 1

# --- the vmcore

: >"$T/empty"
cp LICENSE "$T/text"
cp tests/fuzz/corpus/fuzz_dump/good "$T/finished"
head -c 4096 /dev/zero >"$T/zeros"
head -c 40 "$core" >"$T/cut-header"
head -c 100 "$core" >"$T/cut-phdrs"
gzip -c "$core" >"$T/gzipped"
printf '\050\265\057\375 and this much is more than the 64 bytes of an ELF file header' >"$T/zstd"
cp "$core" "$T/elf32"; tests/tools/peek poke "$T/elf32" 4 01
cp "$core" "$T/big-endian"; tests/tools/peek poke "$T/big-endian" 5 02
cp "$core" "$T/no-core"; tests/tools/peek poke "$T/no-core" 16 02
cp "$core" "$T/no-phdrs"; tests/tools/peek poke "$T/no-phdrs" 56 0000
cp "$core" "$T/far-phdrs"; tests/tools/peek poke "$T/far-phdrs" 32 f0ffffffffffffff
cp "$core" "$T/huge-load"; tests/tools/peek poke "$T/huge-load" $((128 + 56 + 40)) ffffffffffffff7f
while read -r file regex; do
    bad "$file: says so" 1 "$T/$file: .*$regex" "$T/$file"
done <<'LIST'
missing No such file
empty
zeros no ELF file$
text no ELF file: it looks like text
gzipped no ELF file: it looks like gzip data \(gzip -dc THIS unpacks it\)$
zstd no ELF file: it looks like zstd data \(zstd -dc THIS unpacks it\)$
finished no ELF file: it looks like a kdump-compressed file, a dump already
cut-header cut short
cut-phdrs cut short
elf32 64-bit
big-endian little-endian
no-core no core file
no-phdrs program headers
far-phdrs
huge-load
LIST
[[ -e /proc/vmcore ]] || bad "nothing named, and no crash: says so" 1 "/proc/vmcore: .*: this is no crash kernel"
mkfifo "$T/fifo"
run timeout 20 "$vmsend" "$T/fifo" # nobody opens its other end
told "a fifo: says so, and doesn't wait" 2 "$T/fifo: a VMCORE has to be a file"
bad "a folder: says so" 2 "$T: a VMCORE has to be a file" "$T"
run "$vmsend" "$T/missing" "$T/dump"
told "a missing vmcore with a DUMPFILE" 1 "No such file"
ok "a missing vmcore with a DUMPFILE: leaves nothing" test ! -e "$T/dump.part"

# --- the dump file

run "$vmsend" -d 1 -q "$core" "$T/dump"
told "a dump: done" 0 "$nameless"
is "a dump: is its owner's" "$(stat -c %a "$T/dump")" 600
ok "a dump: leaves no .part" test ! -e "$T/dump.part"
bad "an existing one is refused" 1 "$T/dump exists; --force replaces it" -d 0 "$core" "$T/dump"
sum=$(sha256sum <"$T/dump")
run "$vmsend" -q -d 0 -f "$core" "$T/dump"
is "--force replaces it" "$rc $([[ $(sha256sum <"$T/dump") == "$sum" ]] && echo "not replaced")" "0 "
echo precious >"$T/other.part"
bad "an existing .part is refused" 1 "$T/other.part exists" -d 1 "$core" "$T/other"
is "an existing .part: stays" "$(<"$T/other.part")" precious
cp "$core" "$T/in.part"
sum=$(sha256sum <"$T/in.part")
for args in "-d 1 -f $T/in.part $T/in.part" "-d 1 -f $T/in.part $T/in" "--dump-dmesg -f $T/in.part $T/in.part" \
    "-d 1 -f --to file:$T/in.part $T/in.part"; do
    # shellcheck disable=SC2086 # several words
    bad "the vmcore itself isn't replaced, by force: $args" 2 "$T/in[.part]* would take the place of the vmcore" $args
done
is "the vmcore itself isn't replaced: it is as it was" "$(sha256sum <"$T/in.part")" "$sum"
ln -s "$T/dump" "$T/link"
bad "a symbolic link is refused, even by force" 1 "isn't a regular file" -d 1 -f "$core" "$T/link"
bad "a folder is refused, even by force" 1 "isn't a regular file" -d 1 -f "$core" "$T"
bad "a folder that isn't there" 1 "No such file" -d 1 "$core" "$T/no/dump"
bad "an empty name" 2 "DUMPFILE" -d 1 "$core" ""
bad "an empty vmcore" 2 "VMCORE" -d 1 ""

# --- the log

echo precious >"$T/log"
bad "a log that isn't there, by force" 1 "VMCOREINFO" --dump-dmesg -f "$core" "$T/log"
is "a log that isn't there: the old file stays" "$(<"$T/log")" precious
bad "a log into a new file" 1 "VMCOREINFO" --dump-dmesg "$core" "$T/new-log"
is "a log that isn't there: no file" "$(echo "$T"/new-log*)" "$T/new-log*"
bad "a log into an existing file" 1 "$T/log exists; --force replaces it" --dump-dmesg "$core" "$T/log"
bad "a log into a device, by force" 1 "isn't a regular file" --dump-dmesg -f "$core" /dev/full

# --- signals (failures.t has those that end a dump)

tests/tools/mkcore --repeat 64M "$T/large" 64G
run bash -c '"$@" & sleep 0.5; kill -TERM $!; wait $!' - "$vmsend" --mem-usage "$T/large"
is "SIGTERM ends a report at once" "$rc" 143
bad "--deadline ends a report" 1 "the deadline is over" --mem-usage --deadline=1s "$T/large"
rm "$T/large"

# --- what it says

run "$vmsend" -d 1 -f "$core" "$T/dump"
is "as it is: a warning and a summary" "$rc $(wc -l <"$T/err")" "0 2"
like "the summary counts the pages" "$(<"$T/err")" "3999 pages: 0 excluded, [0-9]+ zero, [0-9]+ compressed, [0-9]+ raw"
run "$vmsend" -d 1 -f --progress=json "$core" "$T/dump"
grep '^{' "$T/err" >"$T/json"
ok "--progress=json: lines of JSON" python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines, "no lines"' "$T/json"
run "$vmsend" -l --message-level 7 -d 31,1 --num-threads 1 -f "$core" "$T/dump"
is "what kdump configurations carry" "$rc" 0
run "$vmsend" -d 1 --message-level 0 -f "$core" "$T/dump"
is "--message-level 0: says nothing" "$rc $(<"$T/err")" "0 "
run "$vmsend" -d 1 -q -F "$core"
is "-F: the stream's signature first" "$rc $(head -c 12 "$T/out")" "0 makedumpfile"
cp "$T/out" "$T/stream"
run "$vmsend" -d 1 -q "$core"
ok "no DUMPFILE: the same as -F" cmp "$T/out" "$T/stream"
run bash -c '"$1" -d 1 -q "$2" >&-' - "$vmsend" "$core"
told "closed standard output: says so" 1 "vmsend: .*(closed|Bad file descriptor)"
run "$vmsend" -d 1 -q "$core" /dev/full
is "a device as DUMPFILE: is refused" "$rc" 1

run timeout 60 "$vmsend" -q -d 1 --to tcp://127.0.0.1:1 --retry 0 "$core"
like "--retry 0: no more than a second try" "$rc $(grep -c 'warning: tcp:.*refused' "$T/err")" "^3 [12]\$"

echo earlier >"$T/probed.part"
run "$vmsend" --probe -f --to "file:$T/probed"
is "--probe --force: an earlier dump's part is left" "$rc $(<"$T/probed.part")" "0 earlier"
run "$vmsend" --probe --to "file:$T/probed"
told "--probe: without --force it is in the way" 1 "$T/probed.part exists; --force replaces it"
rm "$T/probed.part"
run "$vmsend" --probe -f --to "file:$T/probed"
is "--probe: leaves no file" "$rc $(echo "$T"/probed*)" "0 $T/probed*"

# --- what a vmsend that was killed has left

mkdir "$T/disk"
"$vmsend" -q -d 1 --to "file:$T/disk/" "$core"
whole=$(echo "$T"/disk/unknown-2023-*.vmcore)
run "$vmsend" -q -d 1 --to "file:$T/disk/" "$core"
like "a directory: a dump that is whole stays" "$rc $(<"$T/err")" "^1 .*$whole exists; --force replaces it"
mv "$whole" "$T/dump"
echo left >"$whole.part"
run "$vmsend" -q -d 1 --to "file:$T/disk/" "$core"
is "a directory: a part of the same crash gives way" "$rc $(echo "$T"/disk/*)" "0 $whole $whole.sums"
ok "a directory: the dump is right" cmp "$T/dump" "$whole"
mv "$whole" "$whole.part"
run flock "$whole.part" "$vmsend" -q -d 1 --to "file:$T/disk/" "$core"
like "a directory: not one that is being written" "$rc $(<"$T/err")" "^1 .*$whole.part is being written by another process"
sed -z 's/CRASHTIME=[0-9]*/CRASHTIME=0000000000/' "$core" >"$T/core.time"
echo left >"$T/disk/unknown-1970-01-01T00-00-00Z.vmcore.part"
run "$vmsend" -q -d 1 --to "file:$T/disk/" "$T/core.time"
like "a directory: not where the time isn't known" "$rc $(<"$T/err")" "^1 .*unknown-1970-.*part exists; --force replaces it"

# --- unusual cores

tests/tools/mkcore --no-vmcoreinfo "$T/odd" 16M
run "$vmsend" -q -d 1 -f "$T/odd" "$T/dump"
like "no VMCOREINFO: says so" "$rc $(<"$T/err")" "^0 .*VMCOREINFO"
tests/tools/mkcore --memory-only 1M "$T/odd" 16M
run "$vmsend" -d 1 -f "$T/odd" "$T/dump"
like "memory without bytes in the file: is excluded" "$rc $(<"$T/err")" "^0 .*4255 pages: 256 excluded"
tests/tools/mkcore "$T/odd" 2M
# What a clock can't have: a year that no calendar goes to.
sed -z 's/=6.1.0-none\n\(PAGESIZE=[0-9]*\nCRASHTIME=\)[0-9]*/=6.1\n\199999999999999999/' "$T/odd" >"$T/core.time"
run "$vmsend" -q -d 1 --to "file:$T/" "$T/core.time"
is "a time of the crash that is none: the dump has a name" "$rc $(cd "$T" && echo unknown-*)" \
    "0 unknown-1970-01-01T00-00-00Z.vmcore unknown-1970-01-01T00-00-00Z.vmcore.sums"
tests/tools/mkcore --every 64 --repeat 16K "$T/odd" 1100M
run "$vmsend" -d 1 -F "$T/odd"
like "70000 loads" "$rc $(<"$T/err")" "^0 .*281503 pages: 0 excluded"
done_testing
