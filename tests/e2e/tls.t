#!/bin/bash
# TLS as peers of other kinds see it: whom each side trusts, and what both say where they don't.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
# shellcheck source=tests/lib/certs.sh
. tests/lib/certs.sh
need openssl

core=$T/core
tests/tools/mkcore "$core" 2M # crashed on 2023-11-14

make_ca ca
make_ca other
make_cert server ca DNS:localhost,IP:127.0.0.1,IP:::1
make_cert web1 ca DNS:Web1.example
make_cert byip ca IP:192.0.2.7
make_cert stranger other DNS:web1.example
UNTIL=20210101000000Z make_cert expired ca DNS:localhost
FROM=20990101000000Z make_cert early ca DNS:localhost
FROM=20231001000000Z make_cert late2023 ca DNS:localhost
FROM=20231201000000Z make_cert after ca DNS:localhost
UNTIL=20231101000000Z make_cert before ca DNS:localhost
make_cert nameless ca ''
make_cert wild ca 'DNS:*.example,DNS:web1.example'
make_cert slash ca 'DNS:a/b'
make_cert serveronly ca DNS:web1.example 'extendedKeyUsage = serverAuth'
make_cert clientonly ca DNS:localhost 'extendedKeyUsage = clientAuth'
key1=00112233445566778899aabbccddeeff key2=ffeeddccbbaa99887766554433221100
printf 'web1:%s\nweb2:%s\n' "$key1" "$key2" >"$T/keys"
printf 'web1:%s\n' "$key1" >"$T/web1.psk"
printf 'web1:%s\n' "$key2" >"$T/wrong.psk"
printf 'web9:%s\n' "$key1" >"$T/unknown.psk"
chmod 600 "$T"/keys "$T"/*.psk
if ! openssl verify -CAfile "$T/ca.crt" "$T/web1.crt" >/dev/null; then
    fail "certificates can be made" "$(<"$T/openssl")"
    done_testing
fi

own=(--tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt")
psk=(--tls-psk "$T/keys")

# as NAME: the options of a sender with that certificate.
as() { echo "--tls-cert $T/$1.crt --tls-key $T/$1.key --tls-ca ${CA:-$T/ca.crt}"; }

# send URL OPTION...: one try.
send() {
    local url=$1
    shift
    run timeout 60 "$vmsend" -d 1 --to "$url" --retry 1 "$@" "$core"
}

# client OPTION...: openssl's, with nothing to say; what it says in $T/out.
client() { timeout 60 openssl s_client -connect "127.0.0.1:$port" -CAfile "$T/ca.crt" "$@" </dev/null >"$T/out" 2>&1; }

dirs() { find "$T/dumps" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort | xargs; }

# --- a collector with certificates, and clients that have none, or others

collect "${own[@]}"
client -tls1_2
hears "a client of TLS 1.2: refused" 'TLS: the client doesn.t speak TLS 1.3'
like "a client of TLS 1.2: is told" "$(<"$T/out")" "alert protocol version"
client -ign_eof
hears "a client without a certificate: refused" 'TLS: the client shows no certificate'
like "a client without a certificate: is told" "$(<"$T/out")" "alert certificate required"
# A certificate; what the collector says; the alert, and what vmsend makes of it.
while IFS='|' read -r name says alert told; do
    client -ign_eof -cert "$T/$name.crt" -key "$T/$name.key"
    hears "a client, $name: refused" "TLS: the client's certificate $says"
    like "a client, $name: is told" "$(<"$T/out")" "alert $alert"
    : >"$log"
    # shellcheck disable=SC2046 # options
    send "tls://localhost:$port" $(as "$name")
    said "a sender, $name: says why, and that it gives up" 5 "tls://localhost:$port: the server $told; not tried again"
    hears "a sender, $name: the collector says why" "127.0.0.1: TLS: the client's certificate $says"
done <<'END'
stranger|isn't signed by a CA of --tls-ca|unknown ca|doesn't know the CA of our --tls-cert.*
expired|has expired: it was valid until 2021-01-01 00:00 UTC; here it is 20|certificate expired|finds our --tls-cert expired.*
early|isn't valid before 2099-01-01 00:00 UTC; here it is 20|bad certificate|finds our --tls-cert bad.*
serveronly|is made for another use|unsupported certificate|finds our --tls-cert made for another use.*
END
# Whose certificate is good, but has no name to go by, is let in to be told.
while IFS='|' read -r name says; do
    # shellcheck disable=SC2046
    send "tls://localhost:$port" $(as "$name")
    said "a sender, $name: says why" 5 "the receiver refuses: $says"
    hears "a sender, $name: the collector says why" "127.0.0.1: $says"
done <<'END'
nameless|the certificate has no subject alternative name
wild|the certificate's first name, "\*.example", isn't a host's
slash|the certificate's first name, "a/b", isn't a host's
END
printf 'VMSF\1\1' | timeout 30 tests/tools/say 127.0.0.1 "$port" >/dev/null
hears "a client without TLS: refused" '127.0.0.1: TLS: the client doesn.t speak TLS'
send "tcp://127.0.0.1:$port"
like "a sender without TLS: fails" "$rc $(<"$T/err")" '^[35] .*tcp://127.0.0.1'
is "none of them left anything" "$(dirs)" ""

# --- and what is right

: >"$log"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a sender with a certificate: done" 0 "complete and verified"
is "its directory has the name of its certificate, in lower case" "$(dirs)" web1.example
# shellcheck disable=SC2046
send "tls://127.0.0.1:$port" $(as byip)
said "a server with an address among its names: trusted by that" 0 "complete and verified"
is "a sender with an address in place of a name: known by that" "$(dirs)" "192.0.2.7 web1.example"
is "meta.json says how the host was proved" \
    "$(grep -ho '"host_proved_by": "[^"]*"' "$T"/dumps/*/*/meta.json | sort -u)" '"host_proved_by": "certificate"'
client -cert "$T/web1.crt" -key "$T/web1.key"
hears "a client that says nothing: said so" 'web1.example: the sender closed the link'

# --- shared keys

rm -rf "$T/dumps"
collect "${psk[@]}"
suite=(-ciphersuites TLS_AES_128_GCM_SHA256)
client "${suite[@]}" -psk "$key1" -psk_identity web1
hears "a client with a key: let in" 'web1: the sender closed the link'
client "${suite[@]}" -psk "$key2" -psk_identity web1
hears "a client with another's key: refused" '127.0.0.1: TLS: the client has another key for "web1" than --tls-psk'
client "${suite[@]}" -psk "$key1" -psk_identity web9
hears "a client with an identity that nobody knows: refused" \
    '127.0.0.1: TLS: the client offers the key of "web9", which --tls-psk lacks'
client "${suite[@]}" -psk "$key1" -psk_identity $'we\eb1'
hears "a client with an odd identity: shown without what isn't fit" 'the key of "we\?b1", which --tls-psk lacks'
client
hears "a client without a key: refused" '127.0.0.1: TLS: the client offers no key of --tls-psk'
: >"$log"
send "tls://localhost:$port" --tls-psk "$T/wrong.psk"
said "a sender with another's key: says so" 5 'TLS: the server has another key for "web1" in its --tls-psk; not tried again'
hears "a sender with another's key: the collector says so" 'TLS: the client has another key for "web1"'
send "tls://localhost:$port" --tls-psk "$T/unknown.psk"
said "a sender with an unknown key: says so" 5 'TLS: the server doesn.t know the key of "web9": its --tls-psk lacks it; not tried'
hears "a sender with an unknown key: the collector says so" 'offers the key of "web9"'
# A link that spoils the proof once looks like another key; it isn't taken for one.
coproc spoil { tests/faults/spoillink "$port"; }
read -r -u "${spoil[0]}" spoil_port
send "tls://localhost:$spoil_port" --tls-psk "$T/web1.psk" --retry 30
said "a proof spoiled by the link: tried again" 0 'another key for "web1" in its --tls-psk$'
said "a proof spoiled by the link: the dump arrives" 0 "complete and verified"
spoil_end=${spoil[1]}
exec {spoil_end}>&-
# shellcheck disable=SC2154 # coproc sets it
wait "$spoil_PID"
rm -rf "$T/dumps"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a sender with a certificate, where keys are wanted: says so" 5 "TLS: the server wants other proof"
hears "a sender with a certificate, where keys are wanted: the collector says so" 'offers no key of --tls-psk'
is "none of them left anything" "$(dirs)" ""
send "tls://localhost:$port" --tls-psk "$T/web1.psk"
said "a sender with its key: done" 0 "complete and verified"
is "its directory has the name of the key" "$(dirs)" web1

# --- both at once

rm -rf "$T/dumps"
collect "${own[@]}" "${psk[@]}"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "certificates and keys, a sender with a certificate: done" 0 "complete and verified"
send "tls://localhost:$port" --tls-psk "$T/web1.psk"
said "certificates and keys, a sender with a key: done" 0 "complete and verified"
is "each is known for what it proved" \
    "$(cd "$T/dumps" && grep -o '"host_proved_by": "[^"]*"' ./*/*/meta.json | sed 's,/2[^:]*:, ,')" \
    './web1.example "host_proved_by": "certificate"
./web1 "host_proved_by": "pre-shared key"'
send "tls://localhost:$port" --tls-psk "$T/unknown.psk"
said "certificates and keys, an unknown key: the sender says so" 5 'the server doesn.t know the key of "web9"'
hears "certificates and keys, an unknown key: the collector says so" 'offers the key of "web9", which --tls-psk lacks'
send "tls://localhost:$port" --tls-psk "$T/wrong.psk"
said "certificates and keys, another's key: the sender says so" 5 'the server has another key for "web1"'
client -cert "$T/stranger.crt" -key "$T/stranger.key"
hears "certificates and keys, a stranger: refused" "the client's certificate isn't signed"

# --- servers that vmsend must not trust

mkfifo "$T/silence"
exec 9<>"$T/silence"
# serve OPTION...: openssl's server on a free port, for one client that tries twice; what it says in $T/server.
serve() {
    : >"$T/server"
    timeout 60 openssl s_server -accept 127.0.0.1:0 -naccept 2 "$@" <&9 >"$T/server" 2>&1 &
    pids+=($!)
    within 30 grep -q '^ACCEPT' "$T/server" || diag <"$T/server"
    port=$(sed -nE 's/^ACCEPT .*:([0-9]+)$/\1/p' "$T/server")
}
serve -tls1_2 -cert "$T/server.crt" -key "$T/server.key"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a server of TLS 1.2: refused" 5 "TLS: the server doesn't speak TLS 1.3; not tried again"
# A certificate; the name in the URL; what vmsend says; the alert that the server gets.
while IFS='|' read -r name host says alert; do
    serve -cert "$T/$name.crt" -key "$T/$name.key"
    # shellcheck disable=SC2046
    send "tls://$host:$port" $(as web1)
    said "a server, $name, as $host: refused" 5 "TLS: the server's certificate $says.*; not tried again"
    ok "a server, $name, as $host: is told" within 30 grep -q "alert $alert" "$T/server"
done <<'END'
stranger|localhost|isn't signed by a CA of --tls-ca|unknown ca
expired|localhost|has expired: it was valid until 2021-01-01 00:00 UTC; here it is 20|certificate expired
early|localhost|isn't valid before 2099-01-01 00:00 UTC; here it is 20|bad certificate
web1|localhost|is for web1.example, not for "localhost"|bad certificate
byip|127.0.0.1|is for 192.0.2.7, not for "127.0.0.1"|bad certificate
late2023|127.0.0.1|is for localhost, not for "127.0.0.1"|bad certificate
nameless|localhost|is for nobody .no subject alternative name., not for "localhost"|bad certificate
clientonly|localhost|is made for another use|unsupported certificate
END
tests/tools/say -l 127.0.0.1 >"$T/other.server" <<<"SSH-2.0-OpenSSH_9.2" &
pids+=($!)
within 30 test -s "$T/other.server"
# shellcheck disable=SC2046
send "tls://localhost:$(head -n 1 "$T/other.server")" $(as web1)
said "a server that speaks something else: refused" 5 "TLS: the server doesn't speak TLS"

# --- a clock that stands at 1970: judged by the time of the crash, at the earliest

rm -rf "$T/dumps"
while IFS='|' read -r name status says; do
    collect --tls-cert "$T/$name.crt" --tls-key "$T/$name.key" --tls-ca "$T/ca.crt"
    # shellcheck disable=SC2046
    run env CLOCK_NOW=100 LD_PRELOAD="$preload/clock.so" timeout 60 "$vmsend" -d 1 --to "tls://localhost:$port" \
        --retry 1 $(as web1) "$core"
    said "in 1970, a certificate $name: exit status $status" "$status" "$says"
    rm -rf "$T/dumps"
done <<'END'
late2023|0|complete and verified
after|5|isn't valid before 2023-12-01 00:00 UTC; here it is 2023-11-14 22:13 UTC
before|5|has expired: it was valid until 2023-11-01 00:00 UTC; here it is 2023-11-14 22:13 UTC
END

# --- addresses, files

if ADDRESS='[::1]' collect "${own[@]}" 2>/dev/null; then
    # shellcheck disable=SC2046
    send "tls://[::1]:$port" $(as web1)
    said "over IPv6, by an address among the server's names: done" 0 "complete and verified"
    rm -rf "$T/dumps"
fi
collect "${own[@]}" "${psk[@]}"
url=tls://localhost:$port
chmod 640 "$T/web1.psk"
send "$url" --tls-psk "$T/web1.psk"
said "a key file that others can read: says what to do" 5 "web1.psk can be read by others: chmod 600"
chmod 600 "$T/web1.psk"
send "$url" --tls-psk "$T/keys"
said "a file of several keys: none is chosen by chance" 2 "keys: 2 keys, where one has to be this host's"
chmod 644 "$T/web1.key"
# shellcheck disable=SC2046
send "$url" $(as web1)
said "a private key that others can read: says what to do" 5 "web1.key can be read by others: chmod 600"
chmod 600 "$T/web1.key"
openssl pkey -in "$T/web1.key" -aes128 -passout pass:secret -out "$T/locked.key" 2>/dev/null
chmod 600 "$T/locked.key"
send "$url" --tls-cert "$T/web1.crt" --tls-key "$T/locked.key" --tls-ca "$T/ca.crt"
said "a private key with a password: asks nobody, says what to do" 2 "locked.key: is protected by a password: remove it"
send "$url" --tls-cert "$T/web1.crt" --tls-key "$T/byip.key" --tls-ca "$T/ca.crt"
said "another certificate's key: says so" 2 "byip.key: isn't the key of the certificate"
send "$url" --tls-cert "$T/none.crt" --tls-key "$T/web1.key" --tls-ca "$T/ca.crt"
said "a certificate that isn't there: says so" 1 "none.crt: No such file"
send "$url" --tls-cert "$T/web1.key" --tls-key "$T/web1.key" --tls-ca "$T/ca.crt"
said "a certificate that is none: says so" 2 "web1.key: no certificate in PEM"
send "$url" --tls-cert "$T/web1.crt" --tls-key "$T/web1.key"
said "no --tls-ca: says what is wanted" 2 "TLS: it needs --tls-cert, --tls-key and --tls-ca, or --tls-psk"
chmod 640 "$T/keys"
run "$vmrecv" --listen 127.0.0.1:0 "${psk[@]}"
told "vmrecv, keys that others can read: says what to do" 5 "keys can be read by others: chmod 600"
chmod 600 "$T/keys"
printf 'a/b:%s\n' "$key1" >"$T/bad.psk"
chmod 600 "$T/bad.psk"
run "$vmrecv" --listen 127.0.0.1:0 --tls-psk "$T/bad.psk"
told "vmrecv, an identity that can't be a directory: refused" 2 "bad.psk:1: an identity is a host's name"

# --- session keys are nobody's business

# shellcheck disable=SC2046
SSLKEYLOGFILE=$T/keylog send "$url" $(as web1)
said "SSLKEYLOGFILE: is done" 0 "complete and verified"
SSLKEYLOGFILE=$T/keylog collect "${own[@]}"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
ok "SSLKEYLOGFILE: nothing is logged" test ! -e "$T/keylog"
# --- intermediate CAs, and what was revoked

sign inter ca 'basicConstraints = critical,CA:TRUE' 'subjectKeyIdentifier = hash'
make_cert iserver inter DNS:localhost
make_cert iweb inter DNS:web1.example
rm -rf "$T/dumps"
collect --tls-cert "$T/iserver.crt" --tls-key "$T/iserver.key" --tls-ca "$T/inter.crt"
# shellcheck disable=SC2046
CA=$T/inter.crt send "tls://localhost:$port" $(CA=$T/inter.crt as iweb)
said "an intermediate CA as the only one on both sides: trusted" 0 "complete and verified"
rm -rf "$T/dumps"
collect --tls-cert "$T/iserver.crt" --tls-key "$T/iserver.key" --tls-ca "$T/ca.crt"
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a server's file without its intermediate CA: vmsend says so" 5 \
    'signed by a CA of --tls-ca: "inter" signed it; if that is an intermediate CA, the server.s --tls-cert lacks its cert'
hears "a server's file without its intermediate CA: the collector says so" \
    'the CA of our --tls-cert, "inter": if that is an intermediate CA, our file lacks its certificate'

make_crl none ca
make_crl web1 ca web1
UNTIL=20210101000000Z make_crl old ca
cat "$T/ca.crt" "$T/none.crl" >"$T/trusted"
collect --tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/trusted"
url=tls://localhost:$port
# shellcheck disable=SC2046
send "$url" $(as web1)
said "a host that isn't revoked: is let in" 0 "complete and verified"
rm -rf "$T/dumps"
cat "$T/ca.crt" "$T/web1.crl" >"$T/trusted"
# shellcheck disable=SC2046
send "$url" $(as web1)
said "a CRL that comes while the collector runs: the host is told" 5 "the server finds our --tls-cert revoked; not tried"
hears "a CRL that comes while the collector runs: is read" 'certificates and keys were read again'
hears "a CRL that comes while the collector runs: the host is refused" \
    'the client.s certificate was revoked by "ca" on 20.* UTC'
is "a CRL that comes while the collector runs: nothing is taken" "$(dirs)" ""
: >"$log"
echo nonsense >"$T/trusted"
# shellcheck disable=SC2046
send "$url" $(as web1)
hears "a file that is wrong: said so" "trusted: no certificate in PEM; the files read before stay in use"
hears "a file that is wrong: what was there before counts" 'the client.s certificate was revoked'
cat "$T/ca.crt" "$T/old.crl" >"$T/trusted"
# shellcheck disable=SC2046
send "$url" $(as web1) --to "file:$T/here"
said "a CRL that is out of date: nobody is let in, and the dump goes elsewhere" 0 "here: complete"
hears "a CRL that is out of date: said when it is read" 'the CRL of "ca" is out of date: it was valid until 2021-01-01'
hears "a CRL that is out of date: said to whom it concerns" '127.0.0.1: TLS: the CRL of "ca" here is out of date'
cp "$T/ca.crt" "$T/trusted"
# shellcheck disable=SC2046
send "$url" $(as web1) --tls-crl "$T/web1.crl"
said "a CRL of vmsend's: the server that isn't in it is trusted" 0 "complete and verified"
rm -rf "$T/dumps"
make_crl server ca server
# shellcheck disable=SC2046
send "$url" $(as web1) --tls-crl "$T/server.crl"
said "a CRL of vmsend's: the server in it isn't trusted" 5 'the server.s certificate was revoked by "ca" on 20'
collect --tls-cert "$T/server.crt" --tls-key "$T/server.key" --tls-ca "$T/ca.crt" --tls-crl "$T/old.crl"
hears "a CRL that is out of date at the start: said so" 'the CRL of "ca" is out of date'

stop_collector
is "SIGTERM ends the collector: exit status 0" "$rc" 0
done_testing
