# shellcheck shell=bash
# Sourced by the tests that want real vmcores: the lab's dumps, and what is done with them again and
# again. Makes a dump that the cache doesn't have, which takes minutes.
#
# VMSEND_DUMP puts another of the lab's dumps in the place of a test's own; CRASH (with options),
# MAKEDUMPFILE and PYTHON (that has drgn) put other readers in the place of the installed ones. FULL=1
# runs what takes long.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

MAKEDUMPFILE=${MAKEDUMPFILE:-makedumpfile} PYTHON=${PYTHON:-/usr/bin/python3} FULL=${FULL:-}
read -ra crash <<<"${CRASH:-crash}"

# use_core NAME: the vmcore to test with, as `core` (a path) and `name`; and its kernel's page_size. crash opens dumps
# of the machine that it is built for: for another it is "none", and drgn tells what crash would.
# shellcheck disable=SC2034 # core, page_size: for those who source this
use_core() {
    name=${VMSEND_DUMP:-$1}
    if ! core=$(scripts/lab/dump "$name" 2>"$T/lab"); then
        fail "the lab has $name" "$(tail -n 5 "$T/lab")"
        done_testing
    fi
    local kernel machine=x86_64
    kernel=$(scripts/lab/dump -s "$name") page_size=4096
    [[ $kernel != *-arm64* ]] || machine=aarch64
    [[ $kernel != *-16k ]] || page_size=16384
    [[ $machine == "$(uname -m)" ]] || crash=(none)
    if has_crash; then need "${crash[0]}"; else need "$PYTHON"; fi
}
has_crash() { [[ ${crash[0]} != none ]]; }

# use_vmlinux: that of $name, as `vmlinux`.
# shellcheck disable=SC2034
use_vmlinux() {
    if ! vmlinux=$(scripts/lab/vmlinux "$name" 2>"$T/lab"); then
        fail "the lab has the vmlinux of $name" "$(tail -n 5 "$T/lab")"
        done_testing
    fi
}

# The codecs that this build of vmsend has, and none.
codecs() {
    echo none
    "$vmsend" --version | sed -n 's/^codecs: //p' | tr ' ' '\n' | grep -v '^no-'
}

# rearrange STREAM FILE: by makedumpfile, which wants the stream as it comes.
rearrange() { "$MAKEDUMPFILE" -R "$2" <"$1"; }

# receive STREAM FILE
receive() { "$vmrecv" -q "$2" <"$1"; }

pagecmp() { "$tools/pagecmp" "$@"; }
peek() { tests/tools/peek "$@"; }

# ends WANT COMMAND...: it ends with that status (128 and more: killed by a signal).
ends() {
    local want=$1 got
    shift
    "$@"
    got=$?
    [[ $got == "$want" ]] || {
        echo "exit status $got, not $want"
        return 1
    }
}

# same_stream FILE COMMAND...: what the command writes is what the file has.
same_stream() {
    local file=$1
    shift
    (set -o pipefail; "$@" | cmp - "$file")
}

# drgn_shows DUMP: the panic, the frames of the task that panicked, and the log.
drgn_shows() { timeout 600 "$PYTHON" tests/tools/drgn-shows "$vmlinux" "$1"; }

# crash_says DUMP COMMAND...: what crash prints, without what names the dump, and its own addresses.
crash_says() {
    local dump=$1
    shift
    printf '%s\n' "$@" quit | timeout 600 "${crash[@]}" -s "$vmlinux" "$dump" 2>&1 |
        grep -v -e '^ *DUMPFILE: ' -e '] error trace: ' -e '^$'
}

# passes NAME VARIABLE=VALUE... TEST: with what it has to say of the dump.
passes() {
    local name=$1 bad=0 start=$SECONDS
    shift
    env "$@" >"$T/out" 2>"$T/err" || bad=1
    if ((bad == 0)); then
        pass "$name: $(grep -c '^ok' "$T/out") tests, $((SECONDS - start)) s"
        grep '^#' "$T/err" >&2
    else
        fail "$name" "$(grep '^not ok' "$T/out")
$(head -c 6000 "$T/err")"
    fi
}
