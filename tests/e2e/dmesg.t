#!/bin/bash
# --dump-dmesg gives the log that crash shows, but for what is documented: callers, and how far further lines
# are indented.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
use_core k61-512m
use_vmlinux

# Without callers and indentation, which crash has none of and less of; crash's own warnings come first.
plain() { sed -E 's/^(\[ *[0-9]+\.[0-9]+\])\[ *[CT][0-9]+\]/\1/; s/^ +//; s/ +$//' "$1"; }
of_reader() {
    if ! has_crash; then
        drgn_shows "$1" | grep -vE '^(PANIC:|#[0-9])'
        return
    fi
    printf '%s\n' log quit | timeout 600 "${crash[@]}" -s "$vmlinux" "$1" 2>&1 | sed -n '/^\[ *[0-9]*\.[0-9]*\]/,$p'
}

run "$vmsend" --dump-dmesg "$core"
is "$name: the log is printed" "$rc $(<"$T/err")" "0 "
cp "$T/out" "$T/log"
like "$name: from its first message on" "$(head -n 1 "$T/log")" '^\[ +0\.000000\].* (Linux version [1-9]|Booting Linux on physical CPU)'
if [[ $name == *-qemu* ]]; then
    skip "$name: to the panic" "the guest was running"
else
    ok "$name: to the panic" grep -qE 'sysrq: Trigger a crash|Kernel panic' "$T/log"
fi
has_crash && reader=crash || reader=drgn
of_reader "$core" >"$T/reader"
plain "$T/reader" >"$T/reader.plain"
plain "$T/log" >"$T/log.plain"
ok "$name: $reader shows as many lines" test "$(wc -l <"$T/log.plain")" = "$(wc -l <"$T/reader.plain")"
ok "$name: $reader shows the same" diff "$T/reader.plain" "$T/log.plain"

# Further lines of a message stand under its text.
if grep -q '^ ' "$T/log"; then
    prefix=$(grep -m1 -B1 '^ ' "$T/log" | sed -nE '1s/^(\[[^]]*\](\[[^]]*\])?).*/\1 /p')
    like "$name: further lines are indented by the prefix" "$(grep -m1 '^ ' "$T/log")" "^ {${#prefix}}"
else
    skip "$name: further lines are indented by the prefix" "no message has several"
fi

# A file: written once, replaced only if told to.
ok "to a file" "$vmsend" --dump-dmesg "$core" "$T/file"
ok "to a file: the same" cmp "$T/log" "$T/file"
run "$vmsend" --dump-dmesg "$core" "$T/file"
told "to a file: refuses one that exists" 1 "exists"
ok "to a file: --force replaces it" "$vmsend" --dump-dmesg -f "$core" "$T/file"
run bash -c '"$0" --dump-dmesg "$1" >/dev/full' "$vmsend" "$core"
told "a full disk is told" 5 "No space"
mkdir "$T/tiny"
if mount -t tmpfs -o size=16k,mode=700 none "$T/tiny" 2>/dev/null; then
    run "$vmsend" --dump-dmesg "$core" "$T/tiny/file"
    told "to a file on a full disk: the file is named" 5 "^vmsend: $T/tiny/file\.part: .*No space"
    ok "to a file on a full disk: what has come stays" cmp -n 12288 "$T/log" "$T/tiny/file.part"
    umount "$T/tiny"
else
    skip "to a file on a full disk: the file is named" "mounting isn't allowed"
    skip "to a file on a full disk: what has come stays" "mounting isn't allowed"
fi

tests/tools/mkcore "$T/small" 4M
run "$vmsend" --dump-dmesg "$T/small"
told "a vmcore without VMCOREINFO has none" 1 "VMCOREINFO"
done_testing
