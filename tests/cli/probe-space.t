#!/bin/bash
# --probe holds the free space of each destination against what a dump is likely to take; a full server is told from one
# that doesn't say.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh disable=SC2016
. "$(dirname "$0")/../lib/tap.sh"
core=$T/core
tests/tools/mkcore "$core" 4M
need_mounts "disks with little space"
# probe SIZE FILL DESTINATION: with a file system of SIZE at $T/disk, of which FILL KiB are taken.
probe() {
    mkdir -p "$T/disk"
    run unshare -m bash -c 'mount -t tmpfs -o size="$2" none "$1" && head -c "$3" /dev/zero >"$1/taken"; shift 3 && "$@"' - \
        "$T/disk" "$1" "$2" "$vmsend" --probe --volatile -d 0 --to "$3" "${@:4}" "$core"
}
server="exec:$vmrecv --stdio --dir $T/disk --host web1"
need="about (1[.][0-9]|2[.]0) MiB \(of (3[.][0-9]|4[.]0) MiB of pages\)"
for to in "$server" "file:$T/disk/dump"; do
    kind=${to%%:*}
    probe 64M 0 "$to"
    like "$kind, enough: all is well, and both numbers are told" "$rc $(<"$T/err")" \
        "^0 .*space: (6[0-9.]+) MiB are free, a dump takes about"
    probe 1M 0 "$to"
    like "$kind, too little: says both numbers, exit status 5" "$rc $(tail -n 1 "$T/err")" \
        "^5 .*space: .* are free, and a dump may take $need$"
    probe 3M 0 "$to"
    is "$kind, half of the pages: will do where they are compressed" "$rc" 0
    probe 3M 0 "$to" --compress=none
    is "$kind, half of the pages: is too little where they aren't" "$rc" 5
done
probe 1M 2M "$server"
like "a full server: is told from one that doesn't say" "$rc $(tail -n 1 "$T/err")" \
    "^5 .*space: 0 B are free, and a dump may take $need$"
run "$vmsend" --probe --to "exec:$vmrecv --stdio --dir $T/dumps --host web1"
like "the running kernel: is what there will be a dump of" "$rc $(<"$T/err")" \
    "space: .* are free, (and )?a dump (takes|may take) (at most|up to|about) "
done_testing
