#!/bin/bash
# The build's options, and what it installs: a build without the optional libraries says what it lacks, and does
# all else.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need make pkg-config readelf nm objdump

tests/tools/mkcore "$T/core" 4M

# As if typed: nothing of the make that runs the tests.
# shellcheck disable=SC2317 # run calls it
build() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u T make "$@"; }

options=(WITH_LZO=0 WITH_ZSTD=0 WITH_LIBDEFLATE=0 WITH_JANSSON=0 WITH_LIBSSH2=0)
run build -j2 BUILD="$T/lean" CFLAGS=-O0 DEV=1 "${options[@]}"
is "${options[*]}: builds without a warning" "$rc $(<"$T/err")" "0 "
for program in vmsend vmrecv vmdumps; do
    is "$program: needs none of the libraries" \
        "$(ldd "$T/lean/$program" | grep -E 'lzo|zstd|deflate|jansson|ssh')" ""
done
vmsend=$T/lean/vmsend vmrecv=$T/lean/vmrecv vmdumps=$T/lean/vmdumps
run "$vmsend" --version
like "--version: tells" "$(<"$T/out")" "no-lzo.*no-zstd.*zlib by: zlib.*json: no.*ssh: no"
run "$vmrecv" --version
like "vmrecv --version: tells, too" "$(<"$T/out")" "no-lzo.*no-zstd.*json: no"
for option in -l -z --compress=lzo --compress=zstd:3; do
    run "$vmsend" $option "$T/core"
    told "$option: says that it isn't built in" 2 "(lzo|zstd) is not part of this build"
done
run "$vmsend" --to ssh://root@localhost "$T/core"
told "ssh://: says that it isn't built in" 2 "ssh:// is not part of this build"
"$vmsend" -q -d 1 "$T/core" "$T/dump" 2>"$T/err"
is "without a codec named: takes one that is there" "$?" 0
run "$vmrecv" --check -q "$T/dump"
is "without a codec named: makes a whole dump" "$rc $(<"$T/err")" "0 "
run "$vmsend" --mem-usage --json "$T/core"
told "vmsend --json: says that it isn't built in" 2 "not part of this build"
run "$vmrecv" --info --json "$T/dump"
told "vmrecv --json: says that it isn't built in" 2 "not part of this build"
run "$vmdumps" list --json --dir "$T"
told "vmdumps --json: says that it isn't built in" 2 "not part of this build"
mkdir -p "$T/store/web1/2026-12-01T03-02-05Z" && cp "$T/dump" "$T/store/web1/2026-12-01T03-02-05Z/vmcore" && chmod -R go= "$T/store"
run "$vmdumps" list --dir "$T/store"
like "vmdumps list: works" "$rc $(<"$T/out")" "^0 .*web1/2026-12-01T03-02-05Z .* complete "
run "$vmrecv" --info "$T/dump"
is "vmrecv --info: works" "$rc" 0
"$BUILD/vmsend" -q -d 1 --compress=zstd "$T/core" "$T/zstd" 2>"$T/err"
run "$vmrecv" --check "$T/zstd"
like "vmrecv --check of a codec that isn't built in: says so" "$rc $(<"$T/err")$(<"$T/out")" "^[1-5] .*zstd"

# What makes a fault in memory harder to use. Each is looked for in what was built, since a flag that the compiler passes
# over would leave no trace.
for program in vmsend vmrecv vmdumps; do
    is "$program: lies where the kernel chooses, has no stack to execute, and no table to write after its start" \
        "$({ readelf -h "$BUILD/$program"; readelf -lW "$BUILD/$program"; readelf -d "$BUILD/$program"; } |
            grep -oE ' DYN | GNU_RELRO |GNU_STACK .* RWE? |BIND_NOW' | sed 's/GNU_STACK.* \(RWE\?\) $/\1/; s/ //g' | sort -u | tr '\n' ' ')" \
        "BIND_NOW DYN GNU_RELRO RW "
    is "$program: is built with stack protection and fortified functions" \
        "$(nm -D "$BUILD/$program" | grep -oE '__(stack_chk_fail|vsnprintf_chk)\b' | sort -u | tr '\n' ' ')" \
        "__stack_chk_fail __vsnprintf_chk "
done
case $(uname -m) in
x86_64)
    is "each object is built for indirect branch tracking and shadow stacks" \
        "$(find "$BUILD/obj/common" "$BUILD/obj/sender" "$BUILD/obj/receiver" -name '*.o' | while read -r object; do
            readelf -n "$object" | grep -q 'x86 feature: IBT, SHSTK' || echo "$object"
        done)" ""
    # shellcheck disable=SC2016 # the dollars are the disassembler's
    like "a large stack frame is touched page by page" \
        "$(objdump -d "$BUILD/vmrecv" | grep -A1 -E 'sub +\$0x1000,%rsp' | grep -cE '(or|mov)[lq] +\$0x0,\(%rsp\)')" "^[1-9]"
    ;;
esac

dest="$T/with a blank"
run build BUILD="$BUILD" DESTDIR="$dest" PREFIX=/usr install
is "make install: done" "$rc" 0
is "make install: puts programs, manual pages and documents in place, and what an initramfs is made with" \
    "$(cd "$dest" && find . -type f -not -path './usr/lib/*' -printf '%P %m\n' | sort)" \
    "$({
        printf 'usr/%s 755\n' bin/vmsend bin/vmrecv bin/vmdumps sbin/vmsend-kdump-setup
        printf 'usr/share/man/man8/%s 644\n' vmsend.8 vmrecv.8 vmdumps.8 vmsend-kdump-setup.8
        echo 'usr/share/bash-completion/completions/vmdumps 644'
        for f in docs/*.{md,svg}; do echo "usr/share/doc/vmsend/${f##*/} 644"; done
        find scripts/kdump -type f ! -name kdump-setup \( -perm -100 -printf 'usr/share/vmsend/%P 755\n' -o -printf 'usr/share/vmsend/%P 644\n' \)
    } | sort)"
run "$dest/usr/bin/vmsend" --version
is "make install: what is installed runs" "$rc" 0
run build BUILD="$BUILD" DESTDIR="$dest" PREFIX=/usr uninstall
is "make uninstall: takes all of it away" "$rc $(find "$dest" -type f)" "0 "
run build help
is "make help: has lines of at most 80 columns" "$rc $(awk 'length > 80' "$T/out")" "0 "
done_testing
