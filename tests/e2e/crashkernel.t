#!/bin/bash
# vmsend where it belongs: in the crash kernel of a machine that has just panicked, on /proc/vmcore.
# Both ways of reading it give the same bytes; what arrives is that machine's dump.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need "${crash[0]}" qemu-system-x86_64
name=k61-512m
use_vmlinux

# A binary of a sanitizer build would not fit into the crash kernel's memory.
if grep -q fsanitize "$BUILD/flags"; then
    skip "vmsend in the crash kernel" "a sanitizer build is too large for it"
    done_testing
fi
run_name=test-crashkernel
serial=${VMSEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmsend}/runs/$run_name/serial.log
# What the crash kernel runs: the stream by mmap() goes out, the one by read() is compared with it there.
cat >"$T/cmd" <<'EOF'
vmsend -q --dump-dmesg >/tmp/log
vmsend -l -d 31 --progress=none >/tmp/mmap 2>/tmp/said
cat /tmp/said
vmsend -q -l -d 31 --access=read /proc/vmcore >/tmp/read
cmp /tmp/mmap /tmp/read
echo "LAB: crash the same by read"
grep -q 'Kernel panic - not syncing' /tmp/log
echo "LAB: crash the log has the panic"
vmsend -q -l -d 31 --num-threads 2 --memory 20M | cmp - /tmp/mmap
echo "LAB: crash the same with threads"
nc 10.0.2.2 @PORT@ </tmp/mmap
EOF
ok "the crash kernel runs vmsend on /proc/vmcore" env MEM=512M CRASHKERNEL=160M \
    FILL=random=40,text=40,zero=16,thp=16,files=2000 FREE=text=64,random=16 \
    CRASH_FILES="$vmsend:/bin/vmsend" CRASH_CMD="$(<"$T/cmd")" \
    RECEIVER="python3 $PWD/scripts/lab/recv.py \$PORT $T/stream" TIMEOUT=400 \
    scripts/lab/runvm 6.1 "$run_name"
for line in "the same by read" "the log has the panic" "the same with threads"; do
    ok "$line" grep -qa "LAB: crash $line" "$serial"
done
ok "it says what it did" grep -qaE 'vmsend: [0-9]+ pages: [0-9]+ excluded, .* compressed' "$serial"
ok "vmrecv takes what it sent" receive "$T/stream" "$T/dump"
ok "vmrecv --check finds it whole" "$vmrecv" --check -q "$T/dump"
crash_says "$T/dump" sys bt >"$T/said"
like "crash shows the panic" "$(<"$T/said")" 'PANIC: "Kernel panic - not syncing: sysrq'
like "and its backtrace" "$(<"$T/said")" '__crash_kexec'
done_testing
