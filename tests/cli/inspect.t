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

# checked NAME WANT: the last run of --check ended with this status and, in $T/out, a match of WANT.
checked() {
    if [[ $codecs == all ]]; then
        like "$1" "$rc $(<"$T/out")" "$2"
    else
        skip "$1" "a codec is not part of this build"
    fi
}
# A build without some codec can't tell whether a dump that has it is right.
codecs=all
[[ $("$vmrecv" --check "$good") != *"not verified: "*"isn't part of this build"* ]] || codecs=some

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
    run "$vmrecv" "--$mode" "$T/stale"
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
        run timeout 120 "$vmrecv" "--$mode" "$T/huge"
        case $mode in
        info) like "--info: a hole that claims 2^40 pages" "$rc $(<"$T/out")" '^0 .*in the dump +8 pages.*missing +8 pages.*complete +no' ;;
        *) like "--check: a hole that claims 2^40 pages" "$rc $(<"$T/out")" '^4 .*incomplete: 8 of 8 pages' ;;
        esac
    done
else
    skip "--info: a hole that claims 2^40 pages" "no file of 300 GiB here"
    skip "--check: a hole that claims 2^40 pages" "no file of 300 GiB here"
fi

# --- a directory

# paths: the files that the last run told of on standard output, one a line.
paths() { sed -n 's/: .*//; s/^[^ ]/&/p' "$T/out"; }

store=$T/store
mkdir -p "$store/web1/2026-12-01T00:00:00Z" "$store/web1/2026-12-02T00:00:00Z" "$store/web1-old" "$T/elsewhere"
cp "$good" "$store/web1/2026-12-01T00:00:00Z/vmcore"
cp "$good" "$store/web1/2026-12-02T00:00:00Z/vmcore"
cp "$good" "$store/web1-old/by-another-name"
cp "$good" "$T/elsewhere/vmcore"
echo text >"$store/web1/2026-12-01T00:00:00Z/vmcore-dmesg.txt"
echo '{}' >"$store/web1/2026-12-01T00:00:00Z/meta.json"
ln -s "$T/elsewhere" "$store/link"
ln -s "$T/elsewhere/vmcore" "$store/vmcore"
ln -s "$store" "$store/web1/loop"
mkfifo "$store/vmcore.part"
wanted="$store/web1/2026-12-01T00:00:00Z/vmcore
$store/web1/2026-12-02T00:00:00Z/vmcore
$store/web1-old/by-another-name"
modes=(check info)
[[ $codecs == all ]] || modes=(info)
for mode in "${modes[@]}"; do
    run "$vmrecv" "--$mode" "$store"
    is "--$mode DIR: each dump below it, in order, links not followed" "$rc $(paths)$(<"$T/err")" "0 $wanted"
    run "$vmrecv" "--$mode" "$store/"
    is "--$mode DIR: a slash at its end makes no difference" "$(paths)" "$wanted"
    ln -sfn "$store" "$T/to-store"
    run "$vmrecv" "--$mode" "$T/to-store"
    is "--$mode DIR: may be a link itself" "$rc $(paths)" "0 ${wanted//$store/$T/to-store}"
done
json "--info --json DIR: an array of them" "$store" "$good" \
    '[b["file"] for b in a] == """'"$wanted
$good"'""".split("\n") and all(b["complete"] for b in a)'

cp "$T/vmcore.part" "$store/web1/2026-12-02T00:00:00Z/vmcore.part"
run "$vmrecv" --check "$store"
checked "--check DIR: the status is the worst: incomplete" "^4 .*vmcore.part: incomplete"
run "$vmrecv" --info "$store"
is "--info DIR: an incomplete dump is no trouble" "$rc" 0
cp "$T/cut" "$store/web1-old/zz"
run "$vmrecv" --check "$store"
like "--check DIR: the status is the worst: corrupt" "$rc $(<"$T/out")" "^1 .*vmcore.part: .*/zz: corrupt"
is "--check DIR: the others are told, too" "$(wc -l <"$T/out")" 5
rm "$store/web1-old/zz"

echo nothing >"$store/web1-old/torn"
: >"$store/web1-old/torn.segments"
printf 'makedumpfile\0\0\0\0' >"$store/web1-old/flat"
: >"$store/web1-old/empty.part"
run "$vmrecv" --info "$store"
like "--info DIR: what should be a dump and isn't" "$rc $(<"$T/err")" \
    "^1 vmrecv: $store/web1-old/empty.part: .*it is empty.*$store/web1-old/flat: .*flattened.*$store/web1-old/torn: .*text"
is "--info DIR: these and no more" "$(wc -l <"$T/err")" 3
json "--info --json DIR: what isn't a dump is an object, too" "$store" \
    'len(a) == 7 and [b["file"].split("/")[-1] for b in a if b["format"] is None] == ["empty.part", "flat", "torn"]'

mkdir -p "$T/deep/$(printf '%0.sd/' {1..16})d"
cp "$good" "$T/deep/$(printf '%0.sd/' {1..16})vmcore"
run "$vmrecv" --info "$T/deep"
told "--info DIR: what lies too deep is told" 1 "/d/d/d: not looked into: it lies more than 16 folders deep"
is "--info DIR: what lies as deep as can be is shown" "$(paths)" "$T/deep/$(printf '%0.sd/' {1..16})vmcore"
mkdir "$T/none"
for mode in check info; do
    run "$vmrecv" "--$mode" "$T/none"
    told "--$mode DIR: no dump below it" 1 "$T/none: no dump lies below it"
done
if setpriv --reuid=65534 --clear-groups true 2>/dev/null; then
    mkdir -m 700 "$T/none/closed"
    chmod 755 "$T"
    run setpriv --reuid=65534 --clear-groups "$vmrecv" --check "$T/none"
    told "--check DIR: a folder that can't be looked into is told" 1 "$T/none/closed: can't look into it: Permission denied"
    cp "$good" "$T/none/unreadable"
    chmod 600 "$T/none/unreadable"
    run setpriv --reuid=65534 --clear-groups "$vmrecv" --check "$T/none"
    like "--check DIR: a file that can't be read is told" "$rc $(<"$T/err")" "^1 .*none/unreadable: whether it is a dump can't be told: Permission denied"
else
    skip "--check DIR: a folder that can't be looked into is told" "no other user to be"
    skip "--check DIR: a file that can't be read is told" "no other user to be"
fi

done_testing
