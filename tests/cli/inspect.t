#!/usr/bin/env bash
# vmrecv --info and --check: what they say of a dump is what is in the file.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

good=tests/fuzz/corpus/fuzz_dump/good

# json NAME FILE... EXPRESSION: what --info --json says of the files, as Python's `a`.
json() {
    local name=$1 expression=${*: -1}
    shift
    run "$vmrecv" --info --json "${@:1:$#-1}"
    if [[ $(<"$T/err") == *"not part of this build"* ]]; then
        skip "$name" "not part of this build"
    elif type -P python3 >/dev/null; then
        ok "$name" python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
if not eval(sys.argv[2]): sys.exit(json.dumps(a, indent=1))' "$T/out" "$expression"
    else
        skip "$name" "no python3"
    fi
}

# --- a copy that was cut

head -c 30000 "$good" >"$T/cut"
run "$vmrecv" --info "$T/cut"
told "--info: a copy that was cut: 1, and a line" 1 "$T/cut: data of [1-7] of 8 pages lie beyond the end of the file: it is cut short"
like "--info: a copy that was cut isn't complete" "$(<"$T/out")" 'complete +no: the file is cut short'
like "--info: a copy that was cut: pages that aren't there" "$(<"$T/out")" 'absent +[1-7] pages'
json "--info --json: a copy that was cut isn't complete" "$T/cut" \
    'a[0]["complete"] is False and a[0]["payload_bytes"] <= a[0]["file_bytes"] == 30000 and a[0]["pages"]["absent"] > 0'
head -c 10000 "$good" >"$T/cut-in-bitmaps"
run "$vmrecv" --info "$T/cut-in-bitmaps"
told "--info: bitmaps that were cut: 1, and a line" 1 "the file ends inside of the bitmaps"
like "--info: bitmaps that were cut: no page is made up" "$(<"$T/out")" 'in the dump +not known'
json "--info --json: bitmaps that were cut are null" "$T/cut-in-bitmaps" \
    'a[0]["complete"] is False and a[0]["pages"]["present"] is None and a[0]["codecs"] is None'
head -c 400 "$good" >"$T/cut-in-header"
json "--info --json: a file without its headers is an object, too" "$good" "$T/cut-in-header" \
    '[b["complete"] for b in a] == [True, False] and "main header" in a[1]["trouble"]'

cp "$good" "$T/vmcore.part"
printf '\x09' | dd of="$T/vmcore.part" bs=1 seek=424 conv=notrunc status=none
run "$vmrecv" --info "$T/vmcore.part"
like "--info: a dump whose header has the bit: 0, and not complete" "$rc $(<"$T/out")" '^0 .*complete +no: its header says so'

# --- a header of another kernel

cp "$good" "$T/stale"
printf '6.1.0-stale' | dd of="$T/stale" bs=1 seek=142 conv=notrunc status=none
for mode in info check; do
    run "$vmrecv" --$mode "$T/stale"
    told "--$mode: a header of another kernel" 1 "$T/stale: header and VMCOREINFO are of different kernels, \"6.1.0-stale\" and \"6.1.0-tiny\""
done
run "$vmrecv" --info "$T/stale"
like "--info: a header of another kernel is a trouble" "$(<"$T/out")" 'trouble +header and VMCOREINFO'

# --- a file that claims 2^40 pages, and is a hole

# put FILE OFFSET BYTES
put() { printf %b "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
head -c 8192 "$good" >"$T/huge"
put "$T/huge" 436 '\x00\x00\x00\x04'                     # bitmap_blocks: 2^26
put "$T/huge" $((4096 + 96)) '\xff\xff\xff\xff\xff'       # max_mapnr_64: 2^40 - 1
put "$T/huge" $((8192 + (1 << 36))) '\xff'                # bits of either bitmap, far in
put "$T/huge" $((8192 + (1 << 36) + (1 << 37))) '\xff'
if truncate -s 300G "$T/huge"; then
    for mode in info check; do
        # What is counted is in tests/unit/inspect/sparse.c; this would take a day.
        run timeout 120 "$vmrecv" --$mode "$T/huge"
        case $mode in
        info) like "--info: a hole that claims 2^40 pages" "$rc $(<"$T/out")" '^0 .*in the dump +8 pages.*missing +8 pages.*complete +no' ;;
        *) like "--check: a hole that claims 2^40 pages" "$rc $(<"$T/out")" '^4 .*incomplete: 8 of 8 pages' ;;
        esac
    done
else
    skip "--info: a hole that claims 2^40 pages" "no file of 300 GiB here"
    skip "--check: a hole that claims 2^40 pages" "no file of 300 GiB here"
fi

done_testing
