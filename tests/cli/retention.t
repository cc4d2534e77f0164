#!/bin/bash
# A collector that cleans its store: by rules, at its start; never a dump that is being received or read, or that is
# pinned; whatever the clock does.
# shellcheck disable=SC2154,SC2317 # collector.sh sets port, log; within calls functions
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

tests/tools/mkcore "$T/core" 2M
"$vmsend" -q -d 1 "$T/core" "$T/dump" || exit 1

# put HOST DAYS [FILE]: a dump of so many days ago; sets `at`.
put() {
    at=$T/dumps/$1/$(date -u -d "$2 days ago" +%Y-%m-%dT%H-%M-%SZ)
    mkdir -p "$at"
    cp "$T/dump" "$at/${3:-vmcore}"
    touch -d "$2 days ago" "$at/${3:-vmcore}"
    chmod -R go= "$T/dumps"
}
anew() {
    stop_collector
    rm -rf "$T/dumps"
    mkdir -m 700 "$T/dumps"
}
# tidied N: the collector has removed so many.
tidied() { hears "$1" "tidied: $2 dumps removed"; }

# --- by rules, at the start

anew
put web1 40 && old=$at
put web1 3 && young=$at
put web2 40 vmcore.part && part=$at
put web2 39 && pinned=$at
: >"$pinned/keep"
collect --plain-from 127.0.0.0/8 --keep-days 30
tidied "a collector removes old dumps at its start" 2
ok "a line tells which, and why" logged "web1/${old##*/}: removed by keep-days"
is "the others are there" "$(cd "$T/dumps" && echo ./*/*)" "./web1/${young##*/} ./web2/${pinned##*/}"
ok "and so is nothing of the old ones" test ! -e "$old" -a ! -e "$part"

anew
put web1 9
collect --plain-from 127.0.0.0/8
run timeout 60 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" "$T/core"
is "without a rule: a dump comes" "$rc" 0
stop_collector
is "and none goes" "$(find "$T/dumps" -name vmcore | wc -l)" 2

# The rules may stand in the configuration file.
anew
put web1 9
put web1 8
printf 'keep-dumps = 1\n' >"$T/conf"
collect --config "$T/conf" --plain-from 127.0.0.0/8
tidied "rules of the configuration file count" 1
anew
put web1 9
printf 'keep-days = 0\n' >"$T/conf"
run "$vmrecv" --listen 127.0.0.1:0 --config "$T/conf" --plain-from 127.0.0.0/8 --dir "$T/dumps"
told "a rule that can't be is refused" 2 "conf.*1.*keep-days.*1 to 36500"

# --- during receipt

anew
collect --plain-from 127.0.0.0/8
hold 300000
timeout 120 "$vmsend" -d 1 --compress none --to "tcp://127.0.0.1:$held_port" "$T/core" 2>"$T/sender" &
sender=$!
pids+=("$sender")
ok "a dump is being received" await_held
put 127.0.0.1 40
part=$(find "$T/dumps" -name vmcore.part)
# Another collector of the same store, whose rules would take both.
first_pid=$collector_pid first_log=$log
collector_pid=''
log=$T/other.log
"$vmrecv" --listen 127.0.0.1:0 --dir "$T/dumps" --plain-from 127.0.0.0/8 --host-quota 1 2>"$log" &
collector_pid=$!
pids+=("$collector_pid")
tidied "another collector tidies the same store" 1
ok "the dump that is being received stays" test -e "$part"
ok "and so does its journal" test -e "${part%.part}.segments"
stop_collector
collector_pid=$first_pid log=$first_log

# A sender that comes again to a dump that has gone begins anew.
kill "$collector_pid"
wait "$collector_pid" 2>/dev/null
collector_pid=''
rm -rf "${part%/*}"
PORT=$port collect --plain-from 127.0.0.0/8
kill "${pids[0]}" 2>/dev/null
kill "$sender" 2>/dev/null
wait "$sender" 2>/dev/null

# --- during --check

anew
put web1 40
# A reader that has the file's lock as --check has it, for as long as the test likes.
exec {reader}<"$at/vmcore"
flock -s "$reader"
collect --plain-from 127.0.0.0/8 --keep-days 30
sleep 1 # what should not happen has no line
ok "a dump that is read stays" test -e "$at/vmcore"
exec {reader}<&-
collect --plain-from 127.0.0.0/8 --keep-days 30
tidied "and goes afterwards" 1

anew
put web1 40
# --check itself has that lock. It reads the dump again and again, so that the test meets it.
mapfile -t many < <(yes "$at/vmcore" | head -n 3000)
"$vmrecv" -q --check "${many[@]}" >"$T/answer" 2>&1 &
checker=$!
pids+=("$checker")
locked() { ! flock -n -x "$at/vmcore" true; }
ok "--check locks what it reads" within 30 locked
kill "$checker" 2>/dev/null
wait "$checker" 2>/dev/null

# --- the clock

# clock_at DAYS: a collector whose clock is so many days from now, when it has looked at its store.
clock_at() {
    local now=$(($(date +%s) + $1 * 86400))
    stop_collector
    LD_PRELOAD=$preload/clock.so CLOCK_NOW=$now collect --plain-from 127.0.0.0/8 --keep-days 30
    within 30 grep -qs "^seen $now " "$T/dumps/.vmrecv/clock" || fail "a collector looks at its store" "$(<"$log")"
    stop_collector
}
if ! readelf -d "$vmrecv" | grep -qi asan; then
    anew
    put web1 20 && first=$at
    for days in 0 365 0 -365 0; do clock_at $days; done
    ok "no dump goes by its age while the clock steps by a year, forth and back" test -e "$first/vmcore"
    ok "and a line says that it steps" logged "the clock has stepped"
    clock_at 7
    ok "a week later the dump is still there" test -e "$first/vmcore"
    for days in 14 21 28 31; do clock_at $days; done
    ok "a month later it goes" test ! -e "$first"
else
    skip "the clock steps" "a sanitizer wants to be loaded first"
fi

# --- what can't be done

anew
put web1 40 && one=$at
put web2 40 && two=$at
if [[ $(id -u) == 0 ]] && chattr +i "$one" 2>/dev/null; then
    collect --plain-from 127.0.0.0/8 --keep-days 30
    hears "a dump that can't be removed: a line says why" "tidying: web1/.*can't be removed"
    chattr -i "$one"
    ok "it is whole" test -e "$one/vmcore"
    ok "and others have gone" test ! -e "$two"
else
    skip "a dump that can't be removed" "chattr +i isn't allowed"
fi

anew
collect --plain-from 127.0.0.0/8 --keep-days 30
rm -rf "$T/dumps"
run timeout 60 "$vmsend" -d 1 --to "tcp://127.0.0.1:$port" "$T/core"
is "DIR is removed: a dump comes all the same" "$rc" 0
stop_collector
done_testing
