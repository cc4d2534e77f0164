#!/bin/bash
# The build's options, and what it installs: a build without the optional libraries says what it lacks, and does
# all else.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need make pkg-config

tests/tools/mkcore "$T/core" 4M

# As if typed: nothing of the make that runs the tests.
# shellcheck disable=SC2317 # run calls it
build() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u T make "$@"; }

options=(WITH_LZO=0 WITH_ZSTD=0 WITH_LIBDEFLATE=0 WITH_JANSSON=0 WITH_LIBSSH2=0)
run build -j2 BUILD="$T/lean" CFLAGS=-O0 DEV=1 "${options[@]}"
is "${options[*]}: builds without a warning" "$rc $(<"$T/err")" "0 "
for program in vmsend vmrecv; do
    is "$program: needs none of the libraries" \
        "$(ldd "$T/lean/$program" | grep -E 'lzo|zstd|deflate|jansson|ssh')" ""
done
vmsend=$T/lean/vmsend vmrecv=$T/lean/vmrecv
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
run "$vmrecv" --info "$T/dump"
is "vmrecv --info: works" "$rc" 0
"$BUILD/vmsend" -q -d 1 --compress=zstd "$T/core" "$T/zstd" 2>"$T/err"
run "$vmrecv" --check "$T/zstd"
like "vmrecv --check of a codec that isn't built in: says so" "$rc $(<"$T/err")$(<"$T/out")" "^[1-5] .*zstd"

dest="$T/with a blank"
run build BUILD="$BUILD" DESTDIR="$dest" PREFIX=/usr install
is "make install: done" "$rc" 0
is "make install: puts programs, manual pages and documents in place, and what an initramfs is made with" \
    "$(cd "$dest" && find . -type f -not -path './usr/lib/*' -printf '%P %m\n' | sort)" \
    "$({
        printf 'usr/%s 755\n' bin/vmsend bin/vmrecv sbin/vmsend-kdump-setup
        printf 'usr/share/man/man8/%s 644\n' vmsend.8 vmrecv.8 vmsend-kdump-setup.8
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
