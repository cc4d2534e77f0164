#!/bin/bash
# vmsend where it belongs: a machine without a disk panics, and its crash kernel, with one CPU, no name but localhost,
# no resolver, no random numbers yet and a clock that says 1970, runs what the initramfs of a distribution does, and
# reboots. The dump is on the server.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
# shellcheck source=tests/lib/certs.sh
. "$(dirname "$0")/../lib/certs.sh"
need openssl

FROM=$(date -u -d yesterday +%Y%m%d%H%M%SZ) # certificates that 1970 doesn't know yet
make_ca ca
make_cert server ca IP:10.0.2.2
make_cert lab1 ca DNS:lab1.example
collect crashkernel --tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt"
cat >"$T/conf" <<END
# Where the dump goes.
to = tls://10.0.2.2:${port[crashkernel]}
tls-cert = /etc/vmsend/crt
tls-key = /etc/vmsend/key
tls-ca = /etc/vmsend/ca
verbose
END
# Both ways of reading /proc/vmcore give the same bytes, and so do threads; none leaves them in the page cache. Then what
# an initramfs does.
cat >"$T/script" <<'END'
dmesg | grep -q 'crng init done' || echo "LAB: crash no random numbers yet"
cached() { sed -n 's/^Cached: *\([0-9]*\) kB/\1/p' /proc/meminfo; }
before=$(cached)
hash() { vmsend --config /dev/null -q -F "$@" | sha256sum; }
one=$(hash --access=mmap)
[ "$one" = "$(hash --access=read)" ] && echo "LAB: crash the same by read"
[ "$one" = "$(hash --num-threads 2 --memory 20M)" ] && echo "LAB: crash the same with threads"
echo "LAB: crash page cache: from $before to $(cached) KiB"
vmsend --config /dev/null -q --dump-dmesg | grep -q 'Kernel panic - not syncing' &&
    echo "LAB: crash the log has the panic"
hostname localhost
rm /etc/resolv.conf
date -s @1000 # not before it was booted
exec vmsend-crash
END
# Without an instruction for random numbers there are none before interrupts, or who waits for them, have made some.
start_guest test-crashkernel CRASH_ENDS='reboot: Restarting system' CPU=max,-la57,-cx16,-rdrand,-rdseed \
    CRASH_FILES="$vmsend:/bin/vmsend scripts/kdump/vmsend-crash $T/conf:/etc/vmsend.conf
        $T/lab1.crt:/etc/vmsend/crt $T/lab1.key:/etc/vmsend/key $T/ca.crt:/etc/vmsend/ca"
end_guest
for line in "no random numbers yet" "the same by read" "the same with threads" "the log has the panic"; do
    ok "$line" guest_says "LAB: crash $line"
done
read -r before after < <(sed -nE 's/.*LAB: crash page cache: from ([0-9]+) to ([0-9]+) KiB.*/\1 \2/p' "$serial")
ok "the page cache is as it was: $before KiB, then $after" test $((${after:-9999} - ${before:-0})) -lt 1024
ok "it says what it did" guest_says 'vmsend: [0-9]+ pages: [0-9]+ excluded, .* compressed'
ok "the server has the dump, it says" guest_says 'vmsend: tls://10\.0\.2\.2:.*complete and verified'
ok "the machine is left as the initramfs is told" guest_says 'vmsend-crash: reboot'
ok "progress is in lines of its own" test "$(grep -ac $'\033' "$serial")" -eq 0
arrived crashkernel
is "it lies under the name that the certificate proves" "$(ls "$T/crashkernel")" lab1.example
like "and has the name that the machine had" "$(cat "$T"/crashkernel/*/*/meta.json)" '"node_name": *"lab"'
done_testing
