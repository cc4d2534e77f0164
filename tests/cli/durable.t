#!/bin/bash
# Names that survive a power cut: directories that may be written and not read, that can't be synced, and whose disk
# fails while they are. What is said, the exit status and the name of the file have to agree.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh disable=SC2317
. "$(dirname "$0")/../lib/tap.sh"
core=$T/core
tests/tools/mkcore "$core" 2M
"$vmsend" -q -d 1 "$core" >"$T/flat" 2>/dev/null
mkdir "$T/d"

# failing ERRNO [FROM [COUNT]] COMMAND...: run it where syncs of $T/d fail with that errno.
failing() {
    run env LD_PRELOAD="$preload/dirsync.so" DIRSYNC_BELOW="$T/d" DIRSYNC_ERRNO="$1" DIRSYNC_FROM="$2" \
        DIRSYNC_COUNT="$3" "${@:4}"
}
there() { (cd "$T/d" && echo *); }
EIO=5 EBADF=9 EINVAL=22 ENOTSUP=95

# each way to make a file: receive, vmsend DUMPFILE, vmsend --to file:
receive() { "$@" "$vmrecv" -q "$T/d/dump" <"$T/flat"; }
receive_again() { "$@" "$vmrecv" -q --force "$T/d/dump" <"$T/flat"; }
write() { "$@" "$vmsend" -q -d 1 "$core" "$T/d/dump"; }
write_again() { "$@" "$vmsend" -q -d 1 --force "$core" "$T/d/dump"; }
deliver() { "$@" "$vmsend" -q -d 1 --to "file:$T/d/dump" "$core"; }
deliver_again() { "$@" "$vmsend" -q -d 1 --force --to "file:$T/d/dump" "$core"; }

for way in receive write deliver; do
    for code in $EBADF $EINVAL $ENOTSUP; do
        $way failing "$code" 1 99
        is "$way, directories can't be synced (errno $code): it is there, status 0" "$rc $(there)" "0 dump dump.sums"
        is "$way, errno $code: says once that the name isn't sure" \
            "$(grep -c "$T/d/dump: the file system can't sync a directory: a power cut .* may lose the name" "$T/err")" 1
        rm "$T/d/dump"*
    done
    for from in 1 2; do
        $way failing "$EIO" $from 1
        is "$way, a disk that fails at sync $from: no final name, and no status 0" "$((rc != 0)) $(there)" "1 dump.part dump.part.sums"
        like "$way, a disk that fails at sync $from: says so of the name that there is" "$(<"$T/err")" \
            "$T/d/dump.part: its directory can't be synced: Input/output error"
        run "$vmrecv" --info "$T/d/dump.part"
        like "$way, a disk that fails at sync $from: the part says that it is one" "$(<"$T/out")" "complete +no: its header says so"
        "${way}_again" run
        is "$way, again: it is there" "$rc $(there)" "0 dump dump.sums"
        rm "$T/d/dump"*
    done
done

# --- a drop directory

if [[ $EUID == 0 ]] && type -P setpriv >/dev/null; then
    nobody() { run setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    programs=$T/bin
    chmod 711 "$T"
    mkdir -m 755 "$programs"
    install -m 755 "$vmsend" "$vmrecv" "$programs"
    vmsend=$programs/vmsend vmrecv=$programs/vmrecv
    chmod 644 "$core" "$T/flat"
    for way in receive write deliver; do
        rm -rf "$T/d"
        mkdir -m 1733 "$T/d"
        $way nobody
        is "$way, a directory that may be written and not read: it is there, and durable" \
            "$rc $(there) $(grep -c "power cut" "$T/err")" "0 dump dump.sums 0"
    done
    rm -rf "$T/d"
    mkdir -m 1733 "$T/d"
    nobody "$vmsend" -q -d 1 --to "exec:$vmrecv --stdio --dir $T/d --host vm1" "$core"
    is "a session, a directory that may be written and not read: it is there" "$rc $(cd "$T/d/vm1"/* && echo *)" \
        "0 meta.json vmcore vmcore.segments"
else
    skip "a drop directory" "needs root and setpriv"
fi
done_testing
