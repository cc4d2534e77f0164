# shellcheck shell=bash
# shellcheck disable=SC2154 # vmsend, vmrecv, rc: e2e.sh sets them
# Sourced by tests that cut streams short: where, and what has to come of it. Wants e2e.sh.

# cut_at NAME BYTES: the stream up to there. The status says whether what came is of use: that begins
# with the first page.
cut_at() {
    local name=$1 bytes=$2 want=3
    rm -f "$T"/cut*
    head -c "$bytes" "$T/stream" >"$T/head"
    run "$vmrecv" "$T/cut" <"$T/head"
    ((bytes < usable)) || want=4
    told "$name: says so" "$want" "${3:-cut short.* after $bytes bytes}"
    ok "$name: nothing is published" test ! -e "$T/cut"
    [[ $want == 4 ]] || return 0
    run "$vmrecv" --check -q "$T/cut.part"
    is "$name: vmrecv --check calls the rest incomplete" "$rc" 4
    run pagecmp --missing "$source" "$T/cut.part"
    is "$name: each page that is there is right" "$rc $(<"$T/err")" "0 "
}

# places: reads "AT OFFSET SIZE" of records, writes "NAME BYTES" of cuts: around and in each.
places() {
    local at off size n=0
    while read -r at off size; do
        printf '%s %d\n' "before record $n" "$at" "in the header of record $n" $((at + 9))
        ((size > 0)) || continue
        printf '%s %d\n' "after the header of record $n" $((at + 16)) \
            "in record $n" $((at + 16 + size / 2)) \
            "before the last byte of record $n" $((at + 16 + size - 1))
        n=$((n + 1))
    done
}

# cut_all SOURCE STREAM: `places` on standard input as lines "NAME BYTES".
cut_all() {
    local line
    while read -r line; do
        cut_at "$1: ${line% *}" "${line##* }"
    done
}

# prepare SOURCE OPTION...: $T/stream, $T/records, and where it begins to be of use: behind the first
# descriptor, whose page is there already.
prepare() {
    local descs end at off size
    source=$1
    shift
    "$vmsend" -q "$@" -F "$source" >"$T/stream"
    is "$(basename "$source"): vmsend" $? 0
    peek records "$T/stream" >"$T/records"
    receive "$T/stream" "$T/whole"
    descs=$(peek layout "$T/whole" | sed -n 's/^desc=//p')
    end=$(peek layout "$T/whole" | sed -n 's/^data=//p')
    usable=0
    while ((usable == 0)) && read -r at off size; do
        ((off < descs || off >= end)) || usable=$((at + 16 + 24))
    done <"$T/records"
}
