#!/bin/bash
# Cross-building: vmsend, vmrecv and unit tests for arm64, which user-mode emulation runs on this machine. The programs
# do what this machine's do, byte for byte, with the CPU's instructions for sums and without them.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need make pkg-config python3 aarch64-linux-gnu-gcc qemu-aarch64-static file

# As if typed: nothing of the make that runs the tests.
# shellcheck disable=SC2317 # run calls it
build() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u T make "$@"; }

run build CROSS=aarch64-linux-gnu- SYSROOT="$T/nothing" BUILD="$T/build"
like "SYSROOT without libraries: says where to get them" "$rc $(<"$T/err")" "^2 .*scripts/cross-sysroot"
run scripts/cross-sysroot arm64
like "cross-sysroot: takes the name of a compiler's target" "$rc $(<"$T/err")" "^1 .*aarch64-linux-gnu"
if ! sysroot=$(scripts/cross-sysroot aarch64-linux-gnu 2>"$T/err"); then
    fail "there are libraries of arm64" "$(<"$T/err")"
    done_testing
fi

arm=$T/build crc32c=$T/build/tests/unit/base/crc32c pipeline=$T/build/tests/unit/threads/pipeline
run build -j2 CROSS=aarch64-linux-gnu- SYSROOT="$sysroot" BUILD="$arm" CFLAGS=-O1 DEV=1 all "$crc32c" "$pipeline"
is "CROSS=aarch64-linux-gnu-: builds without a warning" "$rc $(<"$T/err")" "0 "
like "the program is one of arm64" "$(file "$arm/vmsend")" "ARM aarch64, .*dynamically linked"
is "it needs the shared libraries that this machine's needs" \
    "$(readelf -d "$arm/vmsend" | grep -oE '\[lib.*\]' | grep -v ld-linux | sort)" \
    "$(readelf -d "$vmsend" | grep -oE '\[lib.*\]' | grep -v ld-linux | sort)"
is "it signs return addresses" "$(aarch64-linux-gnu-objdump -d "$arm/libcommon.a" | grep -ow paciasp | sort -u)" paciasp

# On an arm64 without CRC32, AES and SHA: no CPU of QEMU's lacks them, so the answer to the question is changed.
cat >"$T/hwcap.c" <<'C'
#include <sys/auxv.h>
unsigned long getauxval(unsigned long type) { (void)type; return 0; }
C
ok "there is a CPU that has nothing" aarch64-linux-gnu-gcc --sysroot="$sysroot" -O1 -fPIC -shared -o "$T/hwcap.so" "$T/hwcap.c"
# translated REGEX QEMU-OPTION... PROGRAM: runs it, and counts the instructions of that name that it came by.
translated() {
    QEMU_LOG=in_asm QEMU_LOG_FILENAME="$T/instructions" qemu-aarch64-static -L "$sysroot" "${@:2}" >"$T/out" 2>"$T/err" || return
    grep -cwE "$1" "$T/instructions"
    rm "$T/instructions"
}
like "crc32c: passes, by the instruction" "$(translated 'crc32c[bx]' "$crc32c")" '^[1-9]'
is "crc32c: passes on a CPU without it" "$(translated 'crc32c[bx]' -E LD_PRELOAD="$T/hwcap.so" "$crc32c")" 0
run qemu-aarch64-static -L "$sysroot" "$pipeline"
like "pipeline: passes" "$rc $(<"$T/err")" "^0 "

# A dump: the bytes of this machine's.
ok "there is a core" tests/tools/mkcore --every 3 "$T/core" 16M
for threads in 0 3; do
    qemu-aarch64-static -L "$sysroot" "$arm/vmsend" -q -d 1 --num-threads $threads "$T/core" >"$T/stream" 2>"$T/err"
    ok "vmsend --num-threads $threads: the bytes that this machine's writes" \
        cmp "$T/stream" <("$vmsend" -q -d 1 "$T/core" 2>"$T/err")
done
qemu-aarch64-static -L "$sysroot" "$arm/vmrecv" -q "$T/dump" <"$T/stream" 2>"$T/err"
is "vmrecv: takes it" "$? $(<"$T/err")" "0 "
ok "what it wrote is whole" "$vmrecv" --check -q "$T/dump"
run qemu-aarch64-static -L "$sysroot" "$arm/vmrecv" --check -q "$T/dump"
is "vmrecv --check: finds it whole, too" "$rc $(<"$T/err")" "0 "
done_testing
