#!/bin/bash
# Space for a dump before it comes: by quotas, and by what is free; over the network, by a forced command, and for a
# stream. What can't be had is told with the limit, and the next destination has the dump.
# shellcheck disable=SC2154,SC2317 # collector.sh sets port, log; within calls functions
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

tests/tools/mkcore "$T/core" 4M
"$vmsend" -q -d 1 --compress none "$T/core" "$T/wanted" || exit 1

# put HOST DAYS BYTES: a dump of so many days ago; sets `at`.
put() {
    at=$T/dumps/$1/$(date -u -d "$2 days ago" +%Y-%m-%dT%H-%M-%SZ)
    mkdir -p "$at"
    head -c "$3" /dev/zero | tr '\0' x >"$at/vmcore"
    chmod -R go= "$T/dumps"
}
anew() {
    stop_collector
    rm -rf "$T/dumps"
    mkdir -m 700 "$T/dumps"
}
# send: to the collector, then to a file.
send() {
    rm -f "$T"/here*
    run timeout 100 "$vmsend" -d 1 --compress none --retry 1 --to "tcp://127.0.0.1:$port" --to "file:$T/here" "$T/core"
}
parts() { find "$T/dumps/127.0.0.1" -name 'vmcore*' -printf '%f\n' 2>/dev/null | sort | tr '\n' ' '; }

# --- a quota makes room

anew
put 127.0.0.1 9 3000000 && old=$at
put 127.0.0.1 8 3000000 && young=$at
put web1 30 3000000 && other=$at
collect --plain-from 127.0.0.0/8 --host-quota 8000000
send
is "a dump comes for which its host's quota has no room" "$rc" 0
ok "it is on the collector" logged "complete and verified"
ok "the host's oldest dump went for it" test ! -e "$old"
ok "a line says so" logged "127.0.0.1/${old##*/}: removed by host-quota"
ok "its other dump stays" test -e "$young/vmcore"
ok "and that of another host" test -e "$other/vmcore"

anew
put 127.0.0.1 9 1000 && old=$at
put 127.0.0.1 8 1000 && young=$at
collect --plain-from 127.0.0.0/8 --host-dumps 2
send
is "a dump comes for which its host has too many" "$rc" 0
is "the oldest went for it" "$(test -e "$old" && echo there) $(test -e "$young" && echo there)" " there"

# --- a quota that can't

anew
put web1 30 9000000 && other=$at
collect --plain-from 127.0.0.0/8 --quota 12M
send
is "no room for a dump: the next destination has it" "$rc" 0
ok "it is right" cmp "$T/wanted" "$T/here"
like "the sender hears which limit, and that nothing may go" "$(<"$T/err")" \
    "no space: [^ ]* [KM]iB more than quota, and nothing may go.*not tried again"
ok "another host's only dump stays" test -e "$other/vmcore"
is "nothing of the dump has come" "$(parts | grep -c part)" 0
: >"$other/keep"
collect --plain-from 127.0.0.0/8 --total-dumps 1
send
like "a number is a limit, too" "$(<"$T/err")" "no space: 1 dumps more than total-dumps, and none may go"

# --- in the midst of a dump

tests/tools/mkcore "$T/large" 64M
head -c 60M /dev/urandom | dd of="$T/large" bs=1M seek=2 conv=notrunc status=none
anew
mkdir -m 700 "$T/dumps/.vmrecv"
echo "1 10" >"$T/dumps/.vmrecv/ratios" # such dumps have become a hundredth of what was announced
put web1 3 1000
collect --plain-from 127.0.0.0/8 --quota 40M
run timeout 100 "$vmsend" -d 1 --compress lzo --retry 1 --to "tcp://127.0.0.1:$port" --to "file:$T/here" "$T/large"
is "a dump outgrows what it has reserved, and the quota" "$rc" 4
like "the sender hears of it" "$(<"$T/err")" "no space: [^ ]* MiB more than quota"
part=$(find "$T/dumps/127.0.0.1" -name vmcore.part)
ok "what has come by then is there" test -s "$part"
size=$(stat -c %s "$part" 2>/dev/null || echo 0)
ok "and less than the quota ($size)" test "$size" -gt 10000000 -a "$size" -lt 41943040
rm -f "$T"/here*

anew
mkdir -m 700 "$T/dumps/.vmrecv"
echo "1 10" >"$T/dumps/.vmrecv/ratios"
collect --plain-from 127.0.0.0/8 --quota 400M
run timeout 100 "$vmsend" -d 1 --compress lzo --retry 1 --to "tcp://127.0.0.1:$port" "$T/large"
is "one that outgrows what it has reserved has more where there is more" "$rc" 0

# --- two collectors, one store

anew
collect --plain-from 127.0.0.0/8 --quota 100M
hold 300000
timeout 120 "$vmsend" -d 1 --compress none --to "tcp://127.0.0.1:$held_port" "$T/large" 2>"$T/sender" &
pids+=($!)
ok "a dump is being received that has reserved most of a quota" await_held
run timeout 100 "$vmsend" -d 1 --compress none --retry 1 --to "exec:exec $vmrecv --stdio --host vm2 --dir $T/dumps --quota 100M" \
    --to "file:$T/here" "$T/large"
like "a forced command has no room beside it" "$(<"$T/err")" "no space: [^ ]* MiB more than quota"
rm -f "$T"/here*
run timeout 100 "$vmsend" -d 1 --compress none --retry 1 --to "exec:exec $vmrecv --stdio --host vm2 --dir $T/dumps --quota 100M" \
    "$T/core"
is "but for a small dump" "$rc" 0
stop_collector

# --- a stream

anew
"$vmsend" -q -d 1 --compress none "$T/large" >"$T/stream"
collect --plain-from 127.0.0.0/8 --quota 20M
(exec {link}<>"/dev/tcp/127.0.0.1/$port" && cat "$T/stream" >&"$link") 2>/dev/null
hears "a stream that gets too long is ended" "no space: [^ ]* MiB more than quota"
run timeout 60 "$vmrecv" --dir "$T/dumps" --quota 20M <"$T/stream"
said "one from standard input, too" 5 "no space: [^ ]* MiB more than quota"

# --- what is free

# shellcheck disable=SC2016 # for the inner shell
small=(unshare -m bash -c 'mount -t tmpfs -o size=32m none "$0" && chmod 700 "$0" && exec "$@"' "$T/dumps")
anew
if "${small[@]}" true 2>/dev/null; then
    run timeout 100 "${small[@]}" "$vmsend" -d 1 --compress none --retry 1 \
        --to "exec:exec $vmrecv --stdio --host vm1 --dir $T/dumps --min-free 30M" "$T/core"
    said "what is to stay free is no room for a dump" 5 "no space: 3[0-9.]* MiB are free, and min-free keeps 30[.]0 MiB"
    run timeout 100 "${small[@]}" "$vmsend" -d 1 --compress none --retry 1 \
        --to "exec:exec $vmrecv --stdio --host vm1 --dir $T/dumps" "$T/core"
    is "5 % stay free where nobody has said how much" "$rc" 0
else
    skip "what is free" "mounting a tmpfs isn't allowed"
fi

# --- a store that can't be looked at

anew
put web1 40 1000
collect --plain-from 127.0.0.0/8 --quota 1G
rm -rf "$T/dumps"
send
is "DIR is removed: a dump comes all the same" "$rc" 0
ok "to the collector" logged "complete and verified"
stop_collector
done_testing
