#!/bin/bash
# What vmsend makes of what a vmcore says of itself, right or wrong: its machine, which dump it is, which
# VMCOREINFO is that of its memory (tests/unit/kernel/find_info.c has all cases).
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

peek() { tests/tools/peek "$@"; }

tests/tools/mkcore "$T/core" 2M

# --- a search of memory, which takes its time

tests/tools/mkcore --no-vmcoreinfo "$T/none" 2M
run "$vmsend" -d 1 "$T/none" "$T/none.dump"
like "no note: tells of the search before it begins" "$(head -n 1 "$T/err")" \
    "^vmsend: no note of VMCOREINFO is right: looking for it in 1[.]6 MiB of memory\$"
run "$vmsend" -d 1 "$T/core" "$T/core.dump"
is "a note: nothing is searched" "$(grep -c "looking for" "$T/err")" 0

# --- the machine, where the kernel's memory doesn't tell

# machine NAME HEX: a core whose ELF header has that e_machine is one of a NAME.
machine() {
    local dir=$T/$1.d meta
    cp "$T/core" "$T/$1"
    peek poke "$T/$1" 18 "$2"
    "$vmsend" -q -d 1 "$T/$1" "$T/$1.dump" 2>/dev/null
    like "$1: the header says so" "$("$vmrecv" --info "$T/$1.dump")" "machine +$1"$'\n'
    "$vmsend" -q -d 1 --to "exec:$vmrecv --stdio --dir $dir --host a" "$T/$1" 2>/dev/null
    meta=$(echo "$dir"/a/*/meta.json)
    if [[ -e $meta ]]; then
        like "$1: HELLO, and so meta.json says so" "$(<"$meta")" "\"arch\": \"$1\""
    else
        skip "$1: HELLO, and so meta.json says so" "this build has no JSON"
    fi
}
machine x86_64 3e00
machine aarch64 b700
machine riscv64 f300
machine unknown 0f27

# --- which dump it is

# id CORE [OPTION...]: the dump_id that HELLO says; send CORE NAME: a session to the server of that name.
id() {
    "$vmsend" -q -d 1 --stream=session "$@" 2>/dev/null | head -c 4096 | grep -a -m 1 -o 'dump_id=[0-9a-f]*'
}
send() { run "$vmsend" -d 1 --to "exec:$vmrecv --stdio --dir $T/$2 --host vm1" "$1"; }
dumps() { find "$T/$1" -name vmcore | wc -l; }

cp "$T/core" "$T/later"
peek poke "$T/later" $((0x100000)) 6c61746572
send "$T/core" store
is "a first dump of a guest arrives" "$rc $(dumps store)" "0 1"
send "$T/later" store
is "one with the same headers and notes, and other memory, is another one" "$rc $(dumps store)" "0 2"
send "$T/later" store
like "the same one again is there already" "$rc $(dumps store) $(<"$T/err")" '^0 2 .*has the dump already'

is "the id is the same whoever makes it" "$(id "$T/core" --num-threads 2 --access mmap)" "$(id "$T/core" --num-threads 0)"
head -c 700000 "$T/core" >"$T/cut"
is "the same of a vmcore that was cut short" "$(id "$T/cut")" "$(id "$T/cut")"
ok "but it isn't that of the whole" test "$(id "$T/cut")" != "$(id "$T/core")"

# By docs/PROTOCOL.md alone.
cat >"$T/by-the-page" <<'PYTHON'
import hashlib, struct, sys
core = open(sys.argv[1], "rb").read()
le64 = lambda *n: struct.pack("<%dQ" % len(n), *n)
table = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    table.append(byte)

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF

headers = [struct.unpack_from("<2I6Q", core, 128 + 56 * i) for i in range(struct.unpack_from("<H", core, 56)[0])]
loads = [(paddr, mem, size, off) for kind, _, off, _, paddr, size, mem, _ in headers if kind == 1]
notes = b"".join(core[off:off + size] for kind, _, off, _, _, size, _, _ in headers if kind == 4)
d = hashlib.sha256(b"vmsend dump 2\0" + le64(1, 0, 0, 4096, len(loads)))
for paddr, mem, size, off in loads:
    d.update(le64(paddr, mem, size))
d.update(le64(len(notes)) + notes)
pages = {}
for paddr, mem, size, off in loads:
    for at in range(0, size, 4096):
        pages[(paddr + at) // 4096] = core[off + at:off + min(at + 4096, size)].ljust(4096, b"\0")
for pfn in sorted(pages):
    d.update(le64(pfn, crc32c(pages[pfn])))
print("dump_id=" + d.hexdigest())
PYTHON
tests/tools/mkcore "$T/tiny" 1088K
is "it is what the protocol says" "$(id "$T/tiny" --compress=none)" "$(python3 "$T/by-the-page" "$T/tiny")"

# --- which VMCOREINFO

# dumped NAME RELEASE REGEX [NOTE...]: with these notes a line says that, and the dump has that release.
dumped() {
    local what=$1 release=$2 regex=$3
    shift 3
    cp "$T/core" "$T/notes"
    tests/tools/renote "$T/notes" "$@"
    run "$vmsend" -q -d 1 -f "$T/notes" "$T/dump"
    like "$what: is said" "$rc $(<"$T/err")" "^0 .*$regex"
    like "$what: the dump has the right release" "$("$vmrecv" --info "$T/dump")" "release +$release"$'\n'
    like "$what: the dump is all right" "$("$vmrecv" --check "$T/dump")" 'all right'
}
dumped "an empty note ahead" 6.1.0-none 'of 2 VMCOREINFO notes number 2 is taken, of 6.1.0-none: the others are empty' empty right
dumped "a note of zeros ahead" 6.1.0-none 'of 2 VMCOREINFO notes number 2 is taken' zeros right
dumped "one more behind it" 6.1.0-none 'number 1 is taken, of 6.1.0-none: memory doesn.t tell which one is right' right kernel
dumped "a note of zeros alone" unknown 'no usable VMCOREINFO' zeros

done_testing
