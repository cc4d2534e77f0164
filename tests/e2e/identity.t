#!/bin/bash
# Which dump a real vmcore is: two of one guest, the kernel's clock a tick apart, are two on the server.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
need nm python3
use_core k61-512m
use_vmlinux

# id CORE [OPTION...]: the dump_id that HELLO says.
id() { "$vmsend" -q -d 31 --stream=session "$@" 2>/dev/null | head -c 4096 | grep -a -m 1 -o 'dump_id=[0-9a-f]*'; }

# at CORE SYMBOL: where a symbol's bytes lie in the file, by what the vmcore says of itself.
at() {
    python3 - "$1" "0x$(nm "$vmlinux" | awk -v s="$2" '$3 == s { print $1 }')" <<'PYTHON'
import re, struct, sys
with open(sys.argv[1], "rb") as f:
    head = f.read(1 << 20)
key = lambda name, base: int(re.search(name + rb"=(-?[0-9a-f]+)\n", head).group(1), base)
paddr = int(sys.argv[2], 16) + key(rb"KERNELOFFSET", 16) - 0xFFFFFFFF80000000 + key(rb"NUMBER\(phys_base\)", 10)
for i in range(struct.unpack_from("<H", head, 56)[0]):
    kind, _, off, _, start, size, _, _ = struct.unpack_from("<2I6Q", head, 64 + 56 * i)
    if kind == 1 and start <= paddr < start + size:
        print(off + paddr - start)
        break
PYTHON
}

cp --reflink=auto "$core" "$T/later"
jiffies=$(at "$core" jiffies_64)
byte=$(od -An -tx1 -j"$jiffies" -N1 "$core" | tr -d ' ')
first=$(id "$core")
is "$name: the id is the same in another process, by another way to read" "$(id "$core" --access mmap --num-threads 2)" "$first"
tests/tools/peek poke "$T/later" "$jiffies" "$(printf %02x $(((0x$byte + 1) % 256)))"
ok "$name: a tick later it is another dump" test "$(id "$T/later")" != "$first"
tests/tools/peek poke "$T/later" "$jiffies" "$byte"
is "$name: without the tick it is the same one" "$(id "$T/later")" "$first"

bad() { BADREAD_FILE=$core BADREAD_RANGES=$jiffies+1 LD_PRELOAD=$preload/badread.so id "$core"; }
unreadable=$(bad)
ok "$name: where the page can't be read it is another one, too" test "$unreadable" != "$first"
is "$name: and the same each time" "$(bad)" "$unreadable"

for dump in "$core" "$T/later" "$core"; do
    "$vmsend" -q -d 31 --to "exec:$vmrecv --stdio --dir $T/store --host vm1" "$dump" 2>/dev/null
    [[ $dump != "$core" ]] || tests/tools/peek poke "$T/later" "$jiffies" "$(printf %02x $(((0x$byte + 1) % 256)))"
done
is "$name: both arrive, the first one once" "$(find "$T/store" -name vmcore | wc -l)" 2
done_testing
