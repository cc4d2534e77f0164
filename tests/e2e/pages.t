#!/bin/bash
# Page by page: what the core has is in the dump, equal, and nothing else is; read by libkdumpfile.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core "${1:-k61-1g}"
# Given up to a hypervisor, or broken: never read, whatever the level.
never=$("$vmsend" --mem-usage "$core" 2>/dev/null | awk '$1 ~ /^(offline|poison)$/ { n += $2 } END { print n + 0 }')
allow=()
((never == 0)) || allow=(--excluded)

ways=("0 lzo" "1 zlib" "1 zstd")
[[ -z $FULL ]] || ways=({0,1}" "{none,zlib,lzo,snappy,zstd})
for way in "${ways[@]}"; do
    read -r level codec <<<"$way"
    what="$name, $codec -d $level"
    ok "$what: vmsend" "$vmsend" -q -d "$level" --compress="$codec" -f "$core" "$T/dump"
    run pagecmp "${allow[@]}" "$core" "$T/dump"
    is "$what: every page is there and equal, and no other" "$rc $(<"$T/err")" "0 "
    like "$what: but for those that are never read" "$(<"$T/out")" " excluded $never missing 0 bad 0$"
    ok "$what: vmrecv --check finds it whole" "$vmrecv" --check -q "$T/dump"
done

# What a level leaves out is marked as such; all that is there is equal.
what="$name, -d 31"
ok "$what: vmsend" "$vmsend" -q -d 31 -f "$core" "$T/some"
run pagecmp --excluded "$core" "$T/some"
is "$what: each page is equal, or excluded" "$rc $(<"$T/err")" "0 "
like "$what: there are such" "$(<"$T/out")" 'dumped [1-9].* excluded [1-9]'
ok "$what: vmrecv --check finds it whole" "$vmrecv" --check -q "$T/some"
rm "$T/some"

# The tool itself must see it when something is not as it should be.
flawed() { # AT HEX: a copy of the dump with other bytes there
    cp "$T/dump" "$T/bad"
    peek poke "$T/bad" "$1" "$2"
}
at() { peek layout "$T/dump" | sed -n "s/^$1=//p"; }

flawed $(($(at desc) + 24 * 1000)) "$(printf '%032d' 0)"
run pagecmp "${allow[@]}" "$core" "$T/bad"
is "pagecmp sees a page without data" "$rc $(grep -c 'without data' "$T/err")" "1 1"
ok "pagecmp allows it if told to" pagecmp "${allow[@]}" --missing "$core" "$T/bad"
# Eight pages that there are; kexec_file_load's cores begin with fewer.
ram=$(od -An -v -tx1 -w1 -j "$(at bitmap1)" -N 65536 "$T/dump" | grep -n -m 1 ff | cut -d : -f 1)
flawed $(($(at bitmap1) + ram - 1)) fe
run pagecmp "${allow[@]}" "$core" "$T/bad"
is "pagecmp sees a bit of bitmap 1" "$rc $(grep -c 'bitmap 1 says hole' "$T/err")" "1 1"
# The descriptor of one page for that of another.
flawed $(($(at desc) + 24 * 1000)) \
    "$(tail -c +$(($(at desc) + 24 * 2000 + 1)) "$T/dump" | head -c 24 | od -An -v -tx1 | tr -d ' \n')"
run pagecmp "${allow[@]}" "$core" "$T/bad"
is "pagecmp sees other bytes in a page" "$rc $(grep -c differs "$T/err")" "1 1"
done_testing
