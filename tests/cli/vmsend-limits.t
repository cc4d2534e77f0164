#!/bin/bash
# What limits of the system do to vmsend: it says so, and keeps what it wrote.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

ok "there is a core" tests/tools/mkcore --every 1 "$T/core" 16M
limit='ulimit -f 1024; exec "$@"' # KiB: a write beyond raises SIGXFSZ

run bash -c "$limit" - "$vmsend" -q -d 1 --compress=none "$T/core" "$T/dump"
told "a file size limit is an error, and not the end by a signal; what was written counts" 4 "dump.part: write: File too large"
ok "what was written stays as DUMPFILE.part" test -s "$T/dump.part"
ok "and not under the final name" test ! -e "$T/dump"
run bash -c '(ulimit -f 0; exec "$@") 2>&1 | cat >&2; exit "${PIPESTATUS[0]}"' - \
    "$vmsend" -q -d 1 --compress=none "$T/core" "$T/none"
told "where nothing could be written, nothing counts" 1 "none.part: write: File too large"

# A file system of 1 MiB, for one command.
mkdir "$T/small"
# shellcheck disable=SC2016 # the inner shell's
run unshare --map-root-user --mount sh -c 'mount -t tmpfs -o size=1M small "$0" && echo mounted
    "$@"; rc=$?; ls "$0"; exit $rc' "$T/small" "$vmsend" -q -d 1 --compress=none "$T/core" "$T/small/dump"
if [[ $(head -n 1 "$T/out") == mounted ]]; then
    told "a full disk: says so; space is what it needs" 5 "dump.part: write: No space left on device"
    is "a full disk: what was written stays" "$(tail -n 1 "$T/out")" dump.part
else
    skip "a full disk" "no mount namespaces here"
fi

# --- long names

deep=$T/$(printf '%0200d/%0200d' 1 2)
mkdir -p "$deep"
run "$vmsend" "$deep/missing"
told "of a long name the reason is still said" 1 "$T/0.*/missing: No such file or directory$"
run bash -c "$limit" - "$vmsend" -q -d 1 --compress=none "$T/core" "$deep/dump"
like "and in each line" "$(<"$T/err")" "dump.part: write: File too large"
run "$vmsend" -d 1 "$T/core" "$(printf "%s/%0251d" "$T" 7)"
told "and where a name is too long by our .part" 1 ".part: File name too long$"

# --- memory

# with_memory KIB COMMAND...: as on a system that has so much available.
with_memory() {
    printf 'MemTotal: 1048576 kB\nMemFree: 1 kB\nMemAvailable: %d kB\n' "$1" >"$T/meminfo"
    shift
    # shellcheck disable=SC2016 # the inner shell's
    run unshare --map-root-user --mount sh -c 'mount --bind "$0" /proc/meminfo && exec "$@"' "$T/meminfo" "$@"
}
with_memory 4242 grep -c 'MemAvailable: 4242 kB' /proc/meminfo
if [[ $(<"$T/out") == 1 ]]; then
    threads="--num-threads 64"
    # shellcheck disable=SC2086 # words
    {
        with_memory 1048576 "$vmsend" $threads -f "$T/core" "$T/dump"
        is "1 GiB of memory is enough for 64 threads" "$rc $(grep -c threads "$T/err")" "0 0"
        with_memory 65536 "$vmsend" $threads -f "$T/core" "$T/dump"
        like "64 MiB aren't, it says" "$rc $(grep threads "$T/err")" \
            '^0 vmsend: 16 of 64 threads, at most 4[5-8]\.[0-9] MiB of memory: 64\.0 MiB are available; --memory allows more$'
        with_memory 65536 "$vmsend" $threads --memory=1G -f "$T/core" "$T/dump"
        is "--memory is what counts" "$rc $(grep -c threads "$T/err")" "0 0"
        with_memory 1048576 "$vmsend" $threads --memory=20M -f "$T/core" "$T/dump"
        like "--memory says what it costs" "$rc $(grep threads "$T/err")" \
            '^0 vmsend: [2-9] of 64 threads, at most (1[0-9]|20)\.[0-9] MiB of memory$'
        with_memory 14336 "$vmsend" $threads -f "$T/core" "$T/dump"
        like "little memory: in line" "$rc $(grep threads "$T/err")" '^0 vmsend: 1 of 64 threads'
        with_memory 8192 "$vmsend" -q $threads -f "$T/core" "$T/dump"
        like "too little: tried all the same, with a warning" "$rc $(grep -v VMCOREINFO "$T/err")" \
            '^0 vmsend: warning: 8\.0 MiB of memory are available, and this dump may take 1'
    }
else
    skip "threads by the memory that there is" "no mount namespaces here"
fi
# --- threads

# Root has no limit of processes: it is somebody else who runs into it.
cp "$vmsend" "$T/vmsend"
chmod 711 "$T"
chmod 644 "$T/core"
limited=(bash -c 'ulimit -u 1; exec "$@"' -)
[[ $EUID -ne 0 ]] || limited+=(setpriv --reuid=64321 --regid=64321 --clear-groups)
# shellcheck disable=SC2016 # the inner shell's
run bash -c '"$@" | cat >/dev/null; exit "${PIPESTATUS[0]}"' - \
    "${limited[@]}" "$T/vmsend" -d 1 --num-threads 4 "$T/core"
is "with no more processes to be had one thread does it, and the limit is named" "$rc $(grep threads "$T/err")" \
    '0 vmsend: 1 of 4 threads: a limit (ulimit -u, pids.max) allows no more'

# --- a memory cgroup

# in_cgroup BYTES COMMAND...: in one of its own below the test's, with that limit.
in_cgroup() {
    echo "$1" >"$group/$limit" && shift && run bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}
# Where that of the test is: version 1, or 2.
group=$(awk -F: '$2 ~ /(^|,)memory(,|$)/ { print "/sys/fs/cgroup/memory" $3 }' /proc/self/cgroup)
limit=memory.limit_in_bytes
[[ $group ]] || group=$(awk -F: '$1 == 0 { print "/sys/fs/cgroup" $3 }' /proc/self/cgroup) limit=memory.max
group=$group/vmsend-test.$$
tests/tools/mkcore --every 1 "$T/core" 64M
if mkdir "$group" 2>/dev/null && in_cgroup $((40 << 20)) true && [[ $rc == 0 ]]; then
    in_cgroup $((40 << 20)) "$vmsend" -d 1 --num-threads 64 -z "$T/core" "$T/in-cgroup"
    like "64 threads in a cgroup of 40 MiB: as many as there is memory for" "$rc $(grep threads "$T/err")" \
        '^0 vmsend: ([2-9]|1[0-9]) of 64 threads, at most [12][0-9]\.[0-9] MiB of memory: 3[0-9]\.[0-9] MiB are available in this memory cgroup; --memory allows more$'
    ok "there is a core with struct pages" "$tools/bigcore" cache 512M "$T/pages"
    in_cgroup $((24 << 20)) "$vmsend" --mem-usage --num-threads 64 "$T/pages"
    like "so it is with --mem-usage, in 24 MiB" "$rc $(grep -v VMCOREINFO "$T/err")" '^0 vmsend: [1-9] of 64 threads, '
    rm "$T/pages"
else
    skip "64 threads in a cgroup of 40 MiB" "no memory cgroup can be made here"
fi
rmdir "$group" 2>/dev/null

# --- notes of 64 MiB, as drivers make them of their devices

tests/tools/mkcore --every 8 "$T/core" 2M
python3 - "$T/core" "$T/notes" <<'P'
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
off, size = struct.unpack_from("<Q", b, 128 + 8)[0], struct.unpack_from("<Q", b, 128 + 32)[0]
status = bytes(b[off:off + size])
device = struct.pack("<3I", 8, 64 << 20, 0x700) + b"LINUX\0\0\0"
notes = len(device) + (64 << 20) + size
struct.pack_into("<Q", b, 128 + 8, len(b))
struct.pack_into("<2Q", b, 128 + 32, notes, notes)
with open(sys.argv[2], "wb") as f:
    f.write(b + device)
    f.seek(len(b) + 8192)
    f.write(b"in the device")
    f.seek(len(b) + notes - size)
    f.write(status)
P
run "$vmsend" -v -d 1 --memory 12M "$T/notes" "$T/whole"
is "large notes are no part of what the dump takes" \
    "$rc $(sed -n 's/.*at most \([0-9]*\).*MiB of memory.*/\1/p' "$T/err" | head -n 1)" "0 11"
run bash -c 'ulimit -v 32768; exec "$@"' - "$vmsend" -q -d 1 "$T/notes" "$T/few"
is "they are copied in an address space half as large" "$rc $(cmp "$T/whole" "$T/few" 2>&1)" "0 "
like "VMCOREINFO is found behind them" "$("$vmrecv" --info "$T/whole")" 'CPUs +1, registers of 1.*OSRELEASE=6.1.0-none'
run python3 - "$T/notes" "$T/whole" <<'P'
import struct, sys
core, dump = (open(name, "rb").read() for name in sys.argv[1:])
off, size = struct.unpack_from("<Q", core, 128 + 8)[0], struct.unpack_from("<Q", core, 128 + 32)[0]
at, n = struct.unpack_from("<2Q", dump, 4096 + 48)
sys.exit(n != size or core[off:off + size] != dump[at:at + n])
P
is "the dump has every byte of them" "$rc $(<"$T/err")" "0 "

# --- what would do, where there was no memory to open the vmcore

tests/tools/mkcore --every 1024 --repeat 16K "$T/loads" 1100M
for limit in 14000 20000; do
    run bash -c 'ulimit -v "$0"; exec "$@"' $limit "$vmsend" -q -d 1 -F "$T/loads"
    like "70000 loads in $limit KiB: the error says what would do" "$rc $(<"$T/err")" \
        '^1 vmsend: address space \(ulimit -v\): ([0-9]+) MiB would do: .*out of memory'
    run bash -c 'ulimit -v "$0"; exec "$@"' $((BASH_REMATCH[1] * 1024)) "$vmsend" -q -d 1 -F "$T/loads"
    is "and that does" "$rc" 0
done
done_testing
