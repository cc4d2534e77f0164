#!/bin/bash
# What vmsend makes of what a vmcore says of itself, right or wrong: its machine.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

peek() { tests/tools/peek "$@"; }

tests/tools/mkcore "$T/core" 2M

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

done_testing
