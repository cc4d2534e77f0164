# shellcheck shell=bash
# Sourced by the tests in which a guest's crash kernel meets several servers, good and bad: collectors and
# an sshd here, a guest that runs beside the test, and what has to be true of what arrived.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"
need "${crash[0]}" qemu-system-x86_64 kexec busybox
name=k61-512m # the kernel's symbols are those of this dump
use_vmlinux
cache=${VMSEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmsend}

# A binary of a sanitizer build would not fit into the crash kernel's memory.
if grep -q fsanitize "$BUILD/flags"; then
    skip "vmsend in a crash kernel" "a sanitizer build is too large for it"
    done_testing
fi

declare -A port # of each server
# shellcheck source=tests/lib/processes.sh
. "$(dirname "${BASH_SOURCE[0]}")/processes.sh"

# collect NAME [OPTION...]: a collector on the loopback, into $T/NAME; on ${port[NAME]}, which is a free one
# if it isn't set before.
collect() {
    local at=$1
    "$vmrecv" --listen "127.0.0.1:${port[$at]:-0}" --dir "$T/$at" "${@:2}" 2>"$T/$at.log" &
    pids+=($!)
    if ! within 60 grep -qs 'listening on' "$T/$at.log"; then
        fail "the collector $at starts" "$(<"$T/$at.log")"
        done_testing
    fi
    port[$at]=$(sed -nE 's/.*listening on .*:([0-9]+),.*/\1/p' "$T/$at.log")
}

# serve_ssh: a real sshd on the loopback, on ${port[ssh]}, whose key $T/host_key.pub is; who has $T/user_key may
# do what the line FORCED (an option of authorized_keys) says, or all.
serve_ssh() {
    ssh-keygen -q -t ed25519 -N '' -C 'test host' -f "$T/host_key"
    ssh-keygen -q -t ed25519 -N '' -C 'test user' -f "$T/user_key"
    echo "${FORCED:+$FORCED }$(<"$T/user_key.pub")" >"$T/authorized_keys"
    port[ssh]=$(free_port)
    : >"$T/sshd.log"
    scripts/lab/sshd "$T" "ListenAddress 127.0.0.1:${port[ssh]}" "AuthenticationMethods publickey" 2>"$T/sshd.log" &
    pids+=($!)
    within 60 grep -q 'Server listening' "$T/sshd.log"
    echo "[10.0.2.2]:${port[ssh]} $(cut -d ' ' -f 1,2 "$T/host_key.pub")" >"$T/known_hosts"
}

# start_guest NAME [VARIABLE=VALUE...]: a guest without a disk, which panics, beside the test; $T/script is what its
# crash kernel runs. `serial` is its console.
start_guest() {
    guest_name=$1
    serial=$cache/runs/$1/serial.log
    mkdir -p "${serial%/*}"
    rm -f "$serial"
    env MEM=512M CRASHKERNEL=160M TIMEOUT=1500 DISK=none RECEIVER=none \
        FILL=random=24,text=40,zero=16,thp=16,files=500 FREE=text=64,random=16 \
        CRASH_CMD="$(<"$T/script")" "${@:2}" scripts/lab/runvm 6.1 "$1" 2>"$T/runvm" &
    guest_pid=$!
    pids+=("$guest_pid")
}

# guest_says REGEX: a line of the console matches.
guest_says() { grep -qaE -e "$1" "$serial" 2>/dev/null; }

# await_guest NAME REGEX: the guest says so before it ends.
await_guest() {
    until guest_says "$2"; do
        if ! kill -0 "$guest_pid" 2>/dev/null; then
            guest_says "$2" && break
            fail "$1" "want a line that matches $2 in $serial:"$'\n'"$(tail -n 20 "$serial")"
            return
        fi
        sleep 0.2
    done
    pass "$1"
}

# end_guest: it has ended, and well.
end_guest() {
    wait "$guest_pid"
    is "the guest $guest_name ends well" "$? $(tail -n 1 "$T/runvm" | grep -v LAB:)" "0 "
}

# said NAME SCENARIO REGEX: between the lines "LAB: crash SCENARIO begins" and "... ends STATUS" the guest said so.
said() {
    local lines
    lines=$(sed -nE "/LAB: crash $2 begins/,/LAB: crash $2 ends/{s/\r//;p}" "$serial")
    if grep -qaE -e "$3" <<<"$lines"; then
        pass "$1"
    else
        fail "$1" "want a line that matches $3 in:"$'\n'"$(tail -n 30 <<<"$lines")"
    fi
}

# arrived SCENARIO [DIR]: the server of that name (below $T) has one dump, which is whole and the dump of the
# machine that was made to panic.
arrived() {
    local dumps=("$T/${2:-$1}"/*/*/vmcore) tasks
    if [[ ${#dumps[@]} -ne 1 || ! -e ${dumps[0]} ]]; then
        fail "$1: there is one dump" "$(find "$T/${2:-$1}"; tail -n 5 "$T/${2:-$1}.log" 2>/dev/null)"
        return
    fi
    ok "$1: vmrecv --check finds it whole" "$vmrecv" --check -q "${dumps[0]}"
    like "$1: the kernel log came along" "$(cat "${dumps[0]%/*}/vmcore-dmesg.txt")" \
        'Kernel panic - not syncing: sysrq'
    crash_says "${dumps[0]}" sys bt ps >"$T/said"
    like "$1: crash shows the panic" "$(<"$T/said")" 'PANIC: "Kernel panic - not syncing: sysrq'
    like "$1: and its backtrace" "$(<"$T/said")" '__crash_kexec.*sysrq_handle_crash.*write_sysrq_trigger'
    like "$1: and the task that did it" "$(<"$T/said")" '> +1 +0 +[0-9]+ .* init'
    tasks=$("$PYTHON" tests/tools/drgn-says "$vmlinux" "${dumps[0]}" | grep -cE '^0x[0-9a-f]+ [0-9]+ ')
    ok "$1: drgn finds all tasks: $tasks" test "$tasks" -ge 40
}
