#!/bin/bash
# vmrecv and others' streams: it makes of makedumpfile -F's and of QEMU's what makedumpfile -R makes.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "$MAKEDUMPFILE"
use_core k61-512m

# makedumpfile says what it can do in a "lzo	enabled" line each.
has() { "$MAKEDUMPFILE" -v | grep -q "^$1[[:space:]]*enabled"; }

# shellcheck disable=SC2317 # called by ok
send() { # OPTION...
    "$MAKEDUMPFILE" -F "$@" "$core" >"$T/stream"
}

same_dump() { # NAME: the stream as -R and vmrecv put it together
    ok "$1: vmrecv takes it" receive "$T/stream" "$T/received"
    ok "$1: makedumpfile -R takes it" rearrange "$T/stream" "$T/by-R"
    ok "$1: both make the same" cmp "$T/by-R" "$T/received"
    ok "$1: vmrecv --check finds it whole" "$vmrecv" --check -q "$T/received"
    rm -f "$T"/{received,by-R}
}

for codec in none: zlib:-c lzo:-l snappy:-p zstd:-z; do
    option=${codec#*:} codec=${codec%:*}
    if [[ $codec =~ lzo|snappy|zstd ]] && ! has "$codec"; then
        skip "makedumpfile -F $option" "this makedumpfile is built without $codec (make matrix)"
        continue
    fi
    for level in 0 1 31; do
        ok "makedumpfile -F $option -d $level" send ${option:+"$option"} -d "$level"
        same_dump "$codec -d $level"
    done
done
ok "makedumpfile -F -c -d 1 --num-threads 2" send -c -d 1 --num-threads 2
same_dump "two threads"
ok "makedumpfile -F -E: an ELF core in a stream" send -E -d 31
ok "ELF: vmrecv takes it" receive "$T/stream" "$T/received"
ok "ELF: makedumpfile -R takes it" rearrange "$T/stream" "$T/by-R"
ok "ELF: both make the same" cmp "$T/by-R" "$T/received"
rm -f "$T"/{received,by-R,stream}

for name in k61-qemu-zlib ${FULL:+k61-512m-mdf-lzo k61-512m-mdf-zlib}; do
    VMSEND_DUMP='' use_core "$name"
    ln -sf "$core" "$T/stream"
    same_dump "$name"
done
done_testing
