#!/bin/bash
# One crash, brought to its server in every way: plain TCP, TLS by a shared key, ssh:// to a real sshd, and through
# the ssh client in the guest. Each dump opens in crash, and vmsend keeps to the memory that it says.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
need sshd ssh

collect tcp --plain-from 127.0.0.1
(umask 077; echo "lab1:$(printf '%064d' 7)" >"$T/psk")
collect tls --tls-psk "$T/psk"
serve_ssh
here=$(printf '%q' "$vmrecv")
cat >"$T/passwd" <<<'root:x:0:0:root:/root:/bin/sh'
# What each of them takes at the most, by vmsend's own count and by the kernel's.
cat >"$T/script" <<END
set +e
send() { # NAME OPTION...
    echo "LAB: crash \$1 begins"
    name=\$1
    shift
    peak /tmp/peak vmsend -v "\$@"
    echo "LAB: crash \$name ends \$?"
    echo "LAB: peak \$name \$(cat /tmp/peak)"
}
send tcp --to tcp://10.0.2.2:${port[tcp]}
send tls --to tls://10.0.2.2:${port[tls]} --tls-psk /etc/psk
ssh="--identity /etc/key --known-hosts /etc/known_hosts"
send ssh --to ssh://$(id -un)@10.0.2.2:${port[ssh]}$T/ssh \$ssh --remote-command '$here --stdio'
send threads --to tcp://10.0.2.2:${port[tcp]} -d 30,1 --num-threads 2
echo "LAB: crash pipe begins"
peak /tmp/peak vmsend -v | ssh -F none -o BatchMode=yes -i /etc/key -o UserKnownHostsFile=/etc/known_hosts \\
    -p ${port[ssh]} $(id -un)@10.0.2.2 '$here $T/pipe'
echo "LAB: crash pipe ends \$?"
echo "LAB: peak pipe \$(cat /tmp/peak)"
echo "LAB: crash probe begins"
vmsend --probe --to tcp://10.0.2.2:${port[tcp]} --to tls://10.0.2.2:${port[tls]} --tls-psk /etc/psk \\
    --to ssh://$(id -un)@10.0.2.2:${port[ssh]}$T/ssh \$ssh --remote-command '$here --stdio'
echo "LAB: crash probe ends \$?"
echo "LAB: crash 0 exit status 0"

# Stuck: nobody feeds the watchdog.
echo "LAB: crash watchdog begins"
modprobe softdog soft_margin=8
vmsend --to tcp://10.0.2.2:${port[tcp]} -d 0 --bwlimit 1M --watchdog /dev/watchdog &
sleep 20
kill -STOP \$!
echo "LAB: crash watchdog after 20 s of 8"
sleep 300
echo "LAB: crash watchdog ends"
END
start_guest test-transports CRASH_MODULES=softdog CRASH_FILES="$vmsend:/bin/vmsend $tools/peak:/bin/peak $(type -P ssh):/bin/ssh
    $T/psk:/etc/psk $T/user_key:/etc/key $T/known_hosts:/etc/known_hosts $T/passwd:/etc/passwd"
end_guest
for way in tcp tls ssh; do
    said "$way: the server has it, it says" $way 'complete and verified'
done
for way in tcp tls ssh threads pipe; do
    bound=$(sed -nE "/crash $way begins/,/crash $way ends/s/.*workers, at most ([0-9.]+) MiB of memory.*/\1/p" "$serial")
    peak=$(sed -nE "s/.*LAB: peak $way ([0-9]+).*/\1/p" "$serial")
    ok "$way: takes $peak KiB, and said that it may take $bound MiB" awk "BEGIN { exit !($peak <= $bound * 1024) }"
done
said "pipe: vmrecv has it, it says" pipe 'vmrecv: .*/pipe: complete'
said "--probe: all of them would take a dump" probe 'LAB: crash probe ends 0'
ok "a watchdog of 8 s: is fed for 20" guest_says 'LAB: crash watchdog after 20 s'
ok "a watchdog: resets a machine that is stuck" test "$(grep -ac 'LAB: crash watchdog ends' "$serial")" -eq 0
arrived tls
arrived ssh
mkdir -p "$T/in/one/dir" && mv "$T/pipe" "$T/in/one/dir/vmcore"
mv "$T"/tls/*/*/vmcore-dmesg.txt "$T/in/one/dir/"
arrived pipe in
is "tcp, threads: there are two dumps, of two levels" "$(find "$T/tcp" -name vmcore | wc -l)" 2
for dump in "$T"/tcp/*/*/vmcore; do
    ok "tcp: vmrecv --check finds it whole" "$vmrecv" --check -q "$dump"
done
done_testing
