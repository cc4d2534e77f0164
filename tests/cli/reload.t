#!/bin/bash
# A collector's configuration: looked at without a collector, and read again by SIGHUP, which harms no dump that comes.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
# shellcheck source=tests/lib/certs.sh
. tests/lib/certs.sh
need python3 openssl

core=$T/core
tests/tools/mkcore --every 1 "$core" 4M
conf=$T/conf
write() { printf '%s\n' "$@" >"$conf"; }

# reload NAME REGEX: SIGHUP, and what the collector says to it.
reload() {
    : >"$log"
    kill -HUP "$collector_pid"
    hears "$1" "$2"
}

# send URL OPTION...: one try.
send() { run timeout 60 "$vmsend" -d 1 --retry 1 --to "$@" "$core"; }

# --- --check-config

make_ca ca
make_ca other
make_cert server ca DNS:localhost
make_cert web1 ca DNS:web1.example
make_cert web2 other DNS:web2.example
make_crl revoked ca web1
make_crl none ca
UNTIL=20210101000000Z make_crl old ca
printf 'web1:%s\n' 00112233445566778899aabbccddeeff >"$T/keys"
chmod 600 "$T/keys"

check() { run "$vmrecv" --check-config --config "$conf" "$@"; }
write "listen = 127.0.0.1:0" "dir = $T/dumps" "tls-psk = $T/keys" "keep-days = 30"
check
told "check-config: finds nothing wrong" 0 "^vmrecv: $conf: no mistake was found$"
ok "check-config: makes no directory" test ! -e "$T/dumps"
write "dir = $T/dumps"
check
told "check-config: says that it isn't a collector's" 0 "$conf: no mistake was found; it has no \"listen\""
write "listen = 127.0.0.1:0" "" "keep-dyas = 30"
check
told "check-config: names file and line" 2 "^vmrecv: $conf:3: unknown option \"keep-dyas\" \(did you mean keep-days\?\)"
write "listen = 127.0.0.1:0" "max-sessions = none"
check
told "check-config: says what is accepted" 2 "^vmrecv: $conf:2: max-sessions: \"none\" isn't"
write "listen = 127.0.0.1:0"
check
told "check-config: names the file where no line is wrong by itself" 2 "^vmrecv: $conf: --listen needs"
write "listen = 127.0.0.1:0" "tls-psk = $T/missing"
check
told "check-config: reads the keys" 2 "$T/missing: "
write "listen = 127.0.0.1:0" "tls-psk = $T/keys"
check --info "$core"
told "check-config: goes alone" 2 "$conf: --check-config goes with no FILE, --check or --info"

# --- SIGHUP

write "plain-from = 127.0.0.1"
collect --config "$conf"
hold 1000000
"$vmsend" -d 1 --compress none --retry 30 --to "tcp://127.0.0.1:$held_port" "$core" 2>"$T/held.err" &
held=$!
pids+=("$held")
ok "a dump is on its way" await_held
write "plain-from = 127.0.0.1" "keep-dumps = 3" "verbose"
reload "SIGHUP: the configuration is read again" 'the configuration was read again'
kill -0 "$held"
is "SIGHUP: the dump on its way isn't ended" $? 0
write "plain-from = 127.0.0.1" "keep-dumps = none"
reload "SIGHUP: a bad line changes nothing, and is named" \
    "$conf:2: keep-dumps: \"none\" isn't .*; the configuration read before stays in use"
send "tcp://127.0.0.1:$port"
is "SIGHUP: and the collector goes on" $rc 0
write "plain-from = 127.0.0.1" "max-sessions = 3" "tls-psk = $T/missing"
reload "SIGHUP: options that contradict each other change nothing" '--plain-from is for a --listen without TLS.*stays in use'
write "plain-from = 127.0.0.1" "max-sessions = 3"
reload "SIGHUP: says what counts later" '--max-sessions has changed: that counts from the next start on'
write "plain-from = 10.0.0.0/8"
reload "SIGHUP: other networks" 'the configuration was read again'
send "tcp://127.0.0.1:$port"
said "SIGHUP: and they count for the next connection" 5 'is in no network of --plain-from'
write "plain-from = 127.0.0.1"
reload "SIGHUP: and back" 'the configuration was read again'
kill "$held"
wait "$held" 2>/dev/null

# --- keys and certificates, new in place or elsewhere

tls=("tls-cert = $T/server.crt" "tls-key = $T/server.key")
as() { echo "--tls-cert $T/$1.crt --tls-key $T/$1.key --tls-ca $T/ca.crt"; }
cat "$T/ca.crt" "$T/other.crt" >"$T/both.crt"
write "${tls[@]}" "tls-ca = $T/ca.crt"
collect --config "$conf"
# shellcheck disable=SC2046 # options
send "tls://localhost:$port" $(as web2)
is "a sender of another CA: refused" $rc 5
write "${tls[@]}" "tls-ca = $T/both.crt"
reload "a new CA by reload" 'the configuration was read again'
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web2)
said "a new CA by reload: its sender is let in" 0 'complete and verified'
write "${tls[@]}" "tls-ca = $T/ca.crt" "tls-crl = $T/none.crl"
reload "a list of nobody by reload" 'the configuration was read again'
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a list of nobody by reload: lets a sender in" 0 'complete and verified'
write "${tls[@]}" "tls-ca = $T/ca.crt" "tls-crl = $T/revoked.crl"
reload "a certificate revoked by reload" 'the configuration was read again'
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
said "a certificate revoked by reload: its sender is told" 5 'revoked'
write "${tls[@]}" "tls-ca = $T/ca.crt" "tls-crl = $T/old.crl"
reload "a list out of date by reload: said" 'old.crl|CRL|list'
# shellcheck disable=SC2046
send "tls://localhost:$port" $(as web1)
is "a list out of date by reload: lets nobody in" $rc 5
write "${tls[@]}" "tls-ca = $T/missing"
reload "a CA that isn't there: changes nothing" "$T/missing.*; the configuration read before stays in use"
write "tls-psk = $T/keys"
reload "keys in place of certificates" 'the configuration was read again'
printf 'web1:%s\n' 00112233445566778899aabbccddeeff >"$T/web1.psk"
chmod 600 "$T/web1.psk"
send "tls://localhost:$port" --tls-psk "$T/web1.psk"
said "keys in place of certificates: count" 0 'complete and verified'
stop_collector
is "and the collector ends by SIGTERM" $rc 0
done_testing
