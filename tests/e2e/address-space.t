#!/bin/bash
# A limited address space (ulimit -v): from the least that works on, every limit does, by less of what
# there may be less of; and below it the error says one that would do.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
use_core k61-512m

# dump_in KIB OPTION...: whether a dump works in so much, on standard output the one that is wanted.
dump_in() {
    local kib=$1
    shift
    rm -rf "$T"/dumps/*
    (ulimit -v "$kib" && exec timeout 120 "$vmsend" -q "$@" "$core") 2>"$T/err" >"$T/out" || return
    [[ ! -s $T/out ]] || cmp "$T/out" "$T/want" >>"$T/err" 2>&1
}

step=${FULL:+512} step=${step:-2048}
# try_limits NAME OPTION...: from one that is too little to one that has room for all threads.
try_limits() {
    local name=$1 works='' kib refused='' told='' mib=''
    shift
    for ((kib = 12288; kib <= 49152; kib += step)); do
        if dump_in "$kib" "$@"; then
            works=${works:-$kib}
        elif [[ $works ]]; then
            refused+="$kib: $(<"$T/err")"$'\n'
        elif [[ ! $(<"$T/err") =~ 'loading shared libraries' ]]; then # less than that is the loader's affair
            mib=$(sed -nE '$s/.*address space \(ulimit -v\): ([0-9]+) MiB would do: .*out of memory.*/\1/p' "$T/err")
            if [[ ! $mib ]]; then
                told+="$kib: $(<"$T/err")"$'\n'
            elif ! dump_in $((mib * 1024)) "$@"; then
                told+="$mib MiB don't do: $(<"$T/err")"$'\n'
            fi
        fi
    done
    diag <<<"$name: $works KiB are enough"
    is "$name: what works in little works in more" "${works:+it does }$refused" "it does "
    is "$name: where it doesn't, a line says what would do" "$told" ""
}

for codec in lzo ${FULL:+zlib zstd}; do
    "$vmsend" -q --compress="$codec" "$core" >"$T/want"
    for threads in 4 ${FULL:+0 1 2}; do
        try_limits "$codec, $threads threads" --num-threads "$threads" --compress="$codec" -F
    done
done
collect --plain-from 127.0.0.0/8
for codec in zstd ${FULL:+lzo zlib auto}; do
    for threads in 2 ${FULL:+0 1 4}; do
        try_limits "by TCP, $codec, $threads threads" --num-threads "$threads" --compress="$codec" \
            --to "tcp://127.0.0.1:$port" --retry 1
    done
done
done_testing
