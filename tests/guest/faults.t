#!/bin/bash
# What breaks on the way of a dump out of a crash kernel, one thing after the other: what arrives is right, or says
# that it isn't whole. The guest cuts its own link, by QEMU's monitor.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
need debugfs mke2fs

# The servers of "nobody" and "away" are none, so far.
for name in second cut killed log limit late held; do collect $name --plain-from 127.0.0.1; done
port[nobody]=$(free_port) port[away]=$(free_port)
truncate -s 96M "$T/disk"
mke2fs -q -F -t ext4 "$T/disk"

cat >"$T/conf" <<END
to = tcp://10.0.2.2:${port[killed]}
bwlimit = 2M
timeout = 10
verbose
END
cat >"$T/script" <<END
set +e
begin() { echo "LAB: crash \$1 begins"; }
end() { echo "LAB: crash \$1 ends \$2"; }
url() { echo "tcp://10.0.2.2:\$1"; }
sent() { cat /sys/class/net/eth0/statistics/tx_bytes; }
# after BYTES: wait until so many have gone out since \$from, or the last command is over.
after() { while kill -0 \$! && [ \$((\$(sent) - from)) -lt \$1 ]; do usleep 100000; done; }
link() {
    echo "LAB: monitor set_link n0 \$1"
    until [ "\$(cat /sys/class/net/eth0/carrier)" = \$2 ]; do usleep 100000; done
}

# The log is there before the first page: killed as soon as it says what comes behind the log.
begin log
vmsend -v --to \$(url ${port[log]}) 2>/tmp/said &
until grep -q workers /tmp/said; do usleep 10000; done
kill -KILL \$!
wait \$!
end log \$?

begin second
vmsend --to \$(url ${port[nobody]}) --to \$(url ${port[second]})
end second \$?

begin cut
from=\$(sent)
vmsend -v --to \$(url ${port[cut]}) --bwlimit 2M --timeout 10 &
after 8000000
link off 0
# What it is to the system meanwhile; and nothing that ends with a terminal's line or a login ends it.
echo "LAB: cut oom_score_adj \$(cat /proc/\$!/oom_score_adj), \$(grep VmLck /proc/\$!/status)"
kill -HUP \$!
kill -PIPE \$!
sleep 30
link on 1
wait \$!
end cut \$?

# The link is cut and stays so: what the server has has to do.
begin late
from=\$(sent)
vmsend --to \$(url ${port[late]}) --bwlimit 2M --timeout 5 --deadline 40 &
after 8000000
link off 0
wait \$!
end late \$?
link on 1

begin away
vmsend --to \$(url ${port[away]})
end away \$?

# No more than it says that it takes, or the kernel ends it.
begin limit
mkdir /tmp/cgroup
mount -t cgroup2 none /tmp/cgroup
echo +memory >/tmp/cgroup/cgroup.subtree_control
mkdir /tmp/cgroup/vmsend
echo 24M >/tmp/cgroup/vmsend/memory.max
(echo 0 >/tmp/cgroup/vmsend/cgroup.procs
    exec vmsend -v --to \$(url ${port[limit]}) --num-threads 8 --memory 20M)
end limit \$?
echo "LAB: limit \$(cat /tmp/cgroup/vmsend/memory.peak) \$(grep oom_kill /tmp/cgroup/vmsend/memory.events | tr '\n' ' ')"

begin file
mkdir /mnt
mount -t ext4 /dev/vda /mnt
link off 0
ip addr flush dev eth0
vmsend --to \$(url ${port[second]}) --to file:/mnt/ --retry 10
end file \$?
umount /mnt
link on 1
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2

# A console that takes nothing, held by the one at its other end: the dump doesn't wait for it.
begin held
usleep 2000000
yes "a line for a console that nobody reads, again and again and again" | head -c 300000 >/dev/console &
filler=\$!
usleep 2000000
vmsend --to \$(url ${port[held]}) --progress=lines
rc=\$?
wait \$filler
end held \$rc

# Killed in the middle, and started again by what an initramfs has.
begin killed
cp /etc/killed.conf /etc/vmsend.conf
from=\$(sent)
vmsend-crash &
after 8000000
kill -KILL \$(pidof vmsend)
wait
END
start_guest test-faults CRASH_ENDS='reboot: Restarting system' \
    CRASH_FILES="$vmsend:/bin/vmsend $T/conf:/etc/killed.conf scripts/kdump/vmsend-crash" \
    QEMU_EXTRA="-drive file=$T/disk,format=raw,if=virtio,cache=unsafe"

await_guest "away: the guest looks for it" 'LAB: crash away begins'
sleep 60 # an operator's minute
collect away --plain-from 127.0.0.1
await_guest "held: the guest begins" 'LAB: crash held begins'
kill -STOP "$guest_pid" # it reads the console
# shellcheck disable=SC2317 # within calls it
there() { compgen -G "$T/held/*/*/vmcore" >"$T/found"; }
ok "held: the dump arrives while nobody reads the console" within 300 there
kill -CONT "$guest_pid"
end_guest

# incomplete SCENARIO: its server has a part, which is marked so.
incomplete() {
    local parts=("$T/$1"/*/*/vmcore.part)
    ok "$1: there is a part" test -s "${parts[0]}"
    ok "$1: and no dump" test ! -e "${parts[0]%.part}"
    run "$vmrecv" --check -q "${parts[0]}"
    is "$1: vmrecv --check says that it is incomplete" "$rc" 4
}

# The log alone.
log=("$T"/log/*/*/vmcore-dmesg.txt)
like "log: is on the server before the first page" "$(cat "${log[0]}")" 'Kernel panic - not syncing: sysrq'
ok "log: and there is no page" test ! -s "${log[0]%/*}/vmcore.part"
ok "log: nor a dump" test ! -e "${log[0]%/*}/vmcore"

said "second: the first is told of" second 'port '"${port[nobody]}"': Connection refused'
arrived second
said "cut: the link is missed" cut '(silen|no carrier|unreachable|no word|time)'
said "cut: memory is to be taken from others, and none is locked" cut 'oom_score_adj -1000, VmLck:[[:space:]]+0 kB'
said "cut: it goes on where it was" cut 'goes on after checkpoint [1-9]'
said "cut: and ends well" cut 'complete and verified; 2[0-9]\.[0-9] MiB sent over [2-9] links'
arrived cut
said "late: the deadline ends it" late 'the deadline is over'
said "late: with the status of a part" late 'LAB: crash late ends 4'
incomplete late
said "away: is waited for" away 'no server so far: trying for '
said "away: and found" away 'complete and verified'
arrived away
said "limit: the threads are those that there is memory for" limit '[1-4] of 8 threads, at most (1[0-9]|20)(\.[0-9])? MiB of memory'
said "limit: the kernel had to end nothing" limit 'complete and verified'
like "limit: nor counted it such" "$(grep -a 'LAB: limit' "$serial")" 'oom_kill 0 '
arrived limit
said "file: no network is what lacks" file '(no address|no carrier)'
said "file: the disk has it, it says" file '/mnt/lab-.*\.vmcore: complete'
for file in $(debugfs -R 'ls -p /' "$T/disk" 2>/dev/null | cut -d / -f 6 | grep '^lab-'); do
    mkdir -p "$T/disk.d/one/dir"
    debugfs -R "dump $file $T/disk.d/one/dir/vmcore${file#lab-*.vmcore}" "$T/disk" 2>/dev/null
done
arrived file disk.d
said "held: it ended well" held 'LAB: crash held ends 0'
arrived held
ok "killed: it was" guest_says 'vmsend-crash: vmsend ended with status 137; try 2 of 3'
ok "killed: it goes on where it was" guest_says "${port[killed]}: goes on after checkpoint [1-9]"
arrived killed
done_testing
