#!/bin/bash
# `make crashkernel`: one file that is all of vmsend, which does in an empty root what the ordinary program
# does: dumps, names, sessions.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/certs.sh
. "$(dirname "$0")/../lib/certs.sh"
# shellcheck source=tests/lib/collector.sh
. "$(dirname "$0")/../lib/collector.sh"
need make pkg-config python3 unshare openssl

run env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u T make -j2 BUILD="$T/build" CFLAGS=-O1 DEV=1 crashkernel
is "make crashkernel: builds without a warning" "$rc $(<"$T/err")" "0 "
like "make crashkernel: says what it takes" "$(<"$T/out")" "vmsend: ([0-9]+) KiB, and 0 libraries: .* ([0-9]+) KiB of it"
[[ $(<"$T/out") =~ ([0-9]+)\ KiB,\ and\ 0\ libraries ]]
ok "make crashkernel: less than 8 MiB" test "${BASH_REMATCH[1]}" -lt 8192

# A root with nothing but the program, its input, and what tells where the server is.
root=$T/root
mkdir -p "$root/etc" "$root/tmp"
cp "$T/build-crashkernel/vmsend" "$root/vmsend"
ok "there is a core" tests/tools/mkcore --every 3 "$root/core" 4M
# shellcheck disable=SC2317 # run calls it
in_root() { unshare -r chroot "$root" "$@"; }

run in_root /vmsend --version
is "in an empty root: runs" "$rc $(head -n 1 "$T/out")" "0 $("$vmsend" --version | head -n 1)"
run in_root /vmsend -q -d 1 --num-threads 2 /core
is "in an empty root: dumps, with threads" "$rc" 0
ok "in an empty root: the same bytes as elsewhere" cmp "$T/out" <("$vmsend" -q -d 1 "$root/core" 2>"$T/err")

# A name service that doesn't exist must not matter: the libraries of one are those of another libc.
echo "127.0.0.1 dumpserver" >"$root/etc/hosts"
echo "hosts: mdns4_minimal [UNAVAIL=return] files" >"$root/etc/nsswitch.conf"
collect --plain-from 127.0.0.1
printf '%s\n' "to = tcp://dumpserver:$port" "dump-level = 1" "retry = 5s" >"$root/etc/vmsend.conf"
run in_root /vmsend --probe
is "--probe, by /etc/vmsend.conf: the name, the server" "$rc" 0
like "--probe: tells each step" "$(<"$T/err")" "resolve: ok"
run in_root /vmsend /core
like "sends to a name" "$rc $(<"$T/err")" "^0 .*complete and verified"
ok "what arrived is whole" "$vmrecv" --check -q "$T"/dumps/*/*/vmcore

# TLS has ideas of its own about what is around: a configuration, modules, authorities.
make_ca ca
make_cert server ca DNS:dumpserver
make_cert client ca DNS:lab1.example
cp "$T/ca.crt" "$T/client.crt" "$T/client.key" "$root/etc/"
collect --tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt"
printf '%s\n' "to = tls://dumpserver:$port" "dump-level = 1" "retry = 5s" "tls-ca = /etc/ca.crt" \
    "tls-cert = /etc/client.crt" "tls-key = /etc/client.key" >"$root/etc/vmsend.conf"
run in_root /vmsend /core
like "sends over TLS, to who proves its name" "$rc $(<"$T/err")" "^0 .*complete and verified"
ok "what arrived over TLS is whole" "$vmrecv" --check -q "$T"/dumps/lab1.example/*/vmcore
done_testing
