#!/bin/bash
# Dump levels: the pages that are left out are those that makedumpfile leaves out, and the kernel's own lists and
# tables agree; what can't be told is kept, and said.
#
# REFERENCE: the makedumpfile that knows the kernel (default: the installed one), or "none". REFUSES: what it says where
# it refuses the kernel, as a regular expression.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
REFERENCE=${REFERENCE:-$MAKEDUMPFILE} REFUSES=${REFUSES:-}
use_core k61-512m
use_vmlinux

# --- the same pages as makedumpfile

# partial: the pfns of pages that memory has a part of only, as a line. makedumpfile leaves these out.
partial() {
    peek sizes "$core" | tr ' ' '\n' | sed -nE 's/^(paddr|memsz)[0-9]+=//p' | while read -r paddr && read -r bytes; do
        ((paddr % page_size == 0)) || printf '0x%x\n' $((paddr / page_size))
        (((paddr + bytes) % page_size == 0)) || printf '0x%x\n' $(((paddr + bytes) / page_size))
    done | sort -u
}
partial=$(partial | xargs)
# At levels 0 and 1 it looks at struct pages only where the kernel knows broken memory, and keeps what is offline else.
offline=$("$vmsend" -q --mem-usage "$core" | awk '$1 == "offline" { print $2 }')
! head -c 1048576 "$core" | grep -aq '^NUMBER(PG_hwpoison)=' || offline=0
if [[ $REFERENCE == none ]]; then
    skip "the pages are makedumpfile's" "there is none that knows this kernel"
elif [[ -n $REFUSES ]]; then
    for way in "-l -d 31" "-l -d 0" --dump-dmesg; do
        read -ra args <<<"$way"
        run "$REFERENCE" "${args[@]}" -f "$core" "$T/theirs"
        like "makedumpfile $way refuses this kernel" "$rc $(<"$T/out")$(<"$T/err")" "^1 .*$REFUSES"
    done
else
    need "$REFERENCE"
    for level in 0 1 2 4 8 16 31; do
        "$vmsend" -q -l -d "$level" -f "$core" "$T/ours"
        "$REFERENCE" -l -d "$level" -f "$core" "$T/theirs" >"$T/out" 2>&1
        # Of pages that it alone has the number will do.
        tests/tools/bitmaps "$T/ours" "$T/theirs" 2>&1 | sed 's/^\(only theirs:.* pages\),.*/\1/' >"$T/out"
        want=
        [[ -z $partial ]] || want="only ours: $(wc -w <<<"$partial") pages, $partial"
        ((level > 1 || offline == 0)) || want+=${want:+$'\n'}"only theirs: $offline pages"
        is "-d $level: the pages are makedumpfile's, and those that are there in part" "$(<"$T/out")" "${want:-same}"
    done
fi

# --- the pages that the kernel's own structures name

"$vmsend" -q -l -d 31 -f "$core" "$T/31"
# shellcheck disable=SC2317 # called by run
walk() { timeout 600 "$PYTHON" tests/tools/kernelwalk "$vmlinux" "$core" "$1"; }
run walk "$T/31"
is "-d 31: has what the kernel's structures need, and nothing that they call free or user's" "$rc $(<"$T/err")" "0 "
diag <"$T/out"
for structure in 'kernel image' 'kernel page tables' 'slabs' 'slabs on lists' 'tasks' 'kernel stacks' 'modules' \
    'run queues' 'struct pages in use' 'buddy lists' 'LRU lists' 'mapped by processes'; do
    like "-d 31: there are pages of: $structure" "$(grep "^$structure" "$T/out")" '(in|out) +[1-9]'
done
"$vmsend" -q -l -d 15 -f "$core" "$T/15"
run walk "$T/15"
is "the walk sees free pages in a dump" "$rc $(grep -c '^buddy lists .*0x' "$T/out")" "1 1"
rm -f "$T"/{15,ours,theirs}

# --- the same pages however the work is cut

ok "-d 31: one set of pages for chunks of any size" "$tools/filterways" "$core" 31
for n in 0 1 2 5; do
    "$vmsend" -q -l -d 31 --num-threads "$n" -f "$core" "$T/threads"
    ok "-d 31: $n workers make the same dump" cmp "$T/31" "$T/threads"
done
rm -f "$T/threads"

# --- --mem-usage

run "$vmsend" --mem-usage "$core"
cp "$T/out" "$T/usage"
is "--mem-usage: prints a table" "$rc $(<"$T/err")" "0 "
pages() { awk -v n="$1" '{ k = substr($0, 1, 16); sub(/ +$/, "", k) } k == n { print substr($0, 17) + 0 }' "$T/usage"; }
sum=0
for class in cache "cache, private" user free offline poison kernel "kernel, zero"; do
    sum=$((sum + $(pages "$class")))
done
is "--mem-usage: the classes are all pages" "$sum" "$(pages all)"
is "--mem-usage: level 31 leaves what the dump has" "$(("$(pages 31)" + $(pages "kernel, zero")))" \
    "$(peek layout "$T/31" | sed -n 's/^pages=//p')"
if has_crash; then
    free=$(printf '%s\n' 'kmem -i' quit | timeout 600 "${crash[@]}" -s "$vmlinux" "$core" 2>/dev/null |
        awk '$1 == "FREE" { print $2 }')
    # The kernel's counters lag behind its lists by what CPUs hold back.
    # OUTSIDE: pages that they count, and that are in no segment of this vmcore.
    ((difference = free - ${OUTSIDE:-0} - $(pages free))) || true
    ok "--mem-usage: as many pages are free as crash says ($free)" test "${difference#-}" -le 1024
fi
run "$vmsend" --mem-usage --json "$core"
is "--mem-usage --json: says the same" "$("$PYTHON" -c '
import json, sys
u = json.load(open(sys.argv[1]))
print(u["pages"], u["classes"]["user"]["pages"], u["classes"]["free"]["pages"], u["pages_at_level"][31])' "$T/out")" \
    "$(pages all) $(pages user) $(pages free) $(pages 31)"
rm -f "$T/31"

# --- the ladder: a key that is missing

cp --reflink=auto "$core" "$T/core"
# where KEY: its place in the core. hide KEY, show KEY: spoil its first letter, and mend it.
where() { head -c 1048576 "$core" | grep -abo -m1 "^$1=" | cut -d: -f1; }
hide() { peek poke "$T/core" "$(where "$1")" 58; }
show() { peek poke "$T/core" "$(where "$1")" "$(printf %02x "'${1:0:1}")"; }

# lower KEY LEVEL REGEX: without the key that level is served, one line says so, and --strict ends with 4.
lower() {
    local key=$1 level=$2 said=$3
    if [[ -z $(where "$key") ]]; then
        skip "without $key level $level is served" "this kernel doesn't have it"
        return
    fi
    hide "$key"
    run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
    told "without $key level $level is served" 0 "$said.*dump level $level is served in place of 31"
    is "without $key: the header says $level" "$(peek layout "$T/dump" | sed -n 's/^level=//p')" "$level"
    run "$vmsend" -q --strict -l -d 31 -f "$T/core" "$T/dump"
    is "without $key --strict ends with 4" "$rc" 4
    run "$vmsend" -q --strict -l -d "$level" -f "$T/core" "$T/dump"
    is "without $key level $level is served to who asks for it" "$rc $(<"$T/err")" "0 "
    show "$key"
}
lower 'OFFSET(page.private)' 15 'free pages stay'
lower 'NUMBER(PG_lru)' 25 'cache pages stay'
lower 'OFFSET(page.mapping)' 17 'cache and user pages stay'
[[ -z $FULL ]] || {
    lower 'SYMBOL(mem_section)' 1 'cache, user and free pages stay'
    lower 'SIZE(page)' 1 'cache, user and free pages stay'
    lower 'OFFSET(page.flags)' 1 'cache, user and free pages stay'
    lower 'OFFSET(page._mapcount)' 1 'cache, user and free pages stay'
    lower 'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)' 15 'free pages stay'
    lower 'LENGTH(zone.free_area)' 15 'free pages stay'
    lower 'NUMBER(PG_swapbacked)' 25 'cache pages stay'
}
for key in 'SYMBOL(init_top_pgt)' 'SYMBOL(swapper_pg_dir)'; do [[ -z $(where "$key") ]] || hide "$key"; done
run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
told "without page tables level 1 is served" 0 'page tables.*dump level 1 is served in place of 31'
run "$vmsend" -q -l -d 31,1 --strict -f "$T/core" "$T/dump"
is "without page tables -d 31,1 takes the next one" "$rc $(wc -l <"$T/err")" "0 1"
for key in 'SYMBOL(init_top_pgt)' 'SYMBOL(swapper_pg_dir)'; do [[ -z $(where "$key") ]] || show "$key"; done

# All of it: what is left of the note's name tells that there is none, and of the texts in memory that they aren't.
at=$(head -c 1048576 "$core" | grep -abo -m1 VMCOREINFO | head -n 1 | cut -d: -f1)
peek poke "$T/core" "$at" 58
texts=$(grep -abo 'OSRELEASE=' "$T/core" | cut -d: -f1)
for text in $texts; do peek poke "$T/core" "$text" 58; done
run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
like "without VMCOREINFO level 1 is served" "$rc $(<"$T/err")" "^0 .*no usable VMCOREINFO; dump level 1 is served"
is "without VMCOREINFO: all other pages are there" "$("$vmrecv" --check "$T/dump" >/dev/null 2>&1; echo $?)" 0
for text in $texts; do peek poke "$T/core" "$text" 4f; done
peek poke "$T/core" "$at" 56

# --- the self-check: a wrong value makes a wrong filter, which the kernel's counters give away

key='NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)'
at=$(where "$key")
at=$((at + ${#key} + 2)) # the first digit, behind '=' and '-'
digit=$(tail -c +$((at + 1)) "$core" | head -c 1)
peek poke "$T/core" "$at" "$(printf %02x "'$((digit % 9 + 1))")" # of a value that no page has
run "$vmsend" -q -l -d 31 -f "$T/core" "$T/dump"
if [[ -n $(where 'SYMBOL(node_data)')$(where 'SYMBOL(contig_page_data)') ]] ||
    grep -q '^CONFIG_KALLSYMS_ALL=y' "$(dirname "$vmlinux")/config"; then
    told "a filter that finds no free pages is told" 0 "^vmsend: .*0 free pages were found, but the kernel counts [1-9]"
else
    skip "a filter that finds no free pages is told" "this kernel doesn't say where its counters are"
fi
done_testing
