#!/bin/bash
# What vmsend waits for in a crash kernel, and how long: a network that isn't there yet, which it says what it lacks,
# and uses soon after it comes up; a pipe that nobody reads. The networks are in namespaces of their own.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3 ip unshare

ok "there is a core" tests/tools/mkcore --every 1 "$T/core" 1M

# Half a minute behind the deadline; looked at in the end.
ok "there is a larger one" tests/tools/mkcore --every 1 "$T/large" 16M
mkfifo "$T/pipe"
exec 7<>"$T/pipe"
"$vmsend" -q -d 0 --compress=none --deadline 1 -F "$T/large" >"$T/pipe" 2>"$T/stuck" &
stuck=$!

if ! unshare --map-root-user --net ip link add d0 type veth peer name p0 2>/dev/null; then
    skip "a network that isn't there yet" "no network namespaces here"
    kill $stuck
    done_testing
fi

# in_network COMMANDS: a shell in a network of its own, which has nothing but lo, not up; for rc, $T/out, $T/err.
in_network() {
    cat >"$T/script" <<'LIB'
# shows REGEX: wait until standard error has so many lines that match.
shows() { # COUNT REGEX
    local i
    for ((i = 0; i < 3000; i++)); do
        [[ $(grep -cE "$2" "$T/err") -lt $1 ]] || return 0
        sleep 0.02
    done
    echo "$2 was not said $1 times"
    return 1
}
now() { local t=${EPOCHREALTIME/./}; echo "${t%???}"; }
send() { "$vmsend" -q -d 1 --num-threads 0 "$@" "$T/core"; }
LIB
    cat >>"$T/script"
    run env T="$T" vmsend="$vmsend" vmrecv="$vmrecv" unshare --map-root-user --net bash "$T/script"
}

# --- what is missing is said

in_network <<'END'
send --to tcp://10.0.2.2:5500 --retry 1
END
like "no interface" "$rc $(<"$T/err")" \
    '^3 .*connect to 10\.0\.2\.2 port 5500: Network is unreachable \(there is no network interface\)'
in_network <<'END'
ip link add d0 type veth peer name p0
send --to tcp://10.0.2.2:5500 --retry 1
END
like "an interface that isn't up" "$(<"$T/err")" 'unreachable \([dp]0 is not up\)'
in_network <<'END'
ip link add d0 type veth peer name p0
ip link set d0 up
send --to tcp://10.0.2.2:5500 --retry 1
END
like "an interface without a carrier" "$(<"$T/err")" 'unreachable \(d0 has no carrier\)'
in_network <<'END'
ip link add d0 type veth peer name p0
ip link set d0 up
ip link set p0 up
send --to tcp://10.0.2.2:5500 --retry 1
END
like "an interface without an address" "$(<"$T/err")" 'unreachable \([dp]0 has no address\)'
in_network <<'END'
ip link add d0 type veth peer name p0
ip addr add 10.1.1.1/24 dev d0
ip link set d0 up
ip link set p0 up
send --to tcp://10.0.2.2:5500 --retry 1
END
like "no route: nothing else is missing" "$(<"$T/err")" 'Network is unreachable$'

# --- names

if unshare --map-root-user --mount mount --bind /dev/null /etc/resolv.conf 2>/dev/null; then
    # shellcheck disable=SC2016 # the inner shell's
    run unshare --map-root-user --net --mount bash -c 'ip link set lo up; mount --bind /dev/null /etc/resolv.conf
        SECONDS=0; "$1" -q --to tcp://dump1.example:5500 --to file:"$2" --retry 1 "$3"; rc=$?; echo $SECONDS; exit $rc' - \
        "$vmsend" "$T/dump" "$T/core"
    like "a name without a resolver: says so" "$rc $(grep resolve "$T/err" | head -n 1)" \
        '^0 .*resolve dump1\.example: no nameserver in /etc/resolv\.conf \(there is no network interface\)$'
    ok "a name without a resolver: fails fast" test "$(<"$T/out")" -lt 10
    ok "a name without a resolver: the file has its turn" test -s "$T/dump"
else
    skip "a name without a resolver" "no mount namespaces here"
fi

# --- a network that comes up is used

in_network <<'END'
ip link set lo up
ip link add d0 type veth peer name p0
ip link set d0 up
ip link set p0 up
"$vmrecv" --listen :5500 --plain-from 10.0.2.2 --dir "$T/dumps" 2>"$T/recv" &
server=$!
send --to tcp://10.0.2.2:5500 &
# Behind the fifth time the pause is 12 s at the least.
shows 5 "10.0.2.2 port 5500: Network is unreachable" || exit 9
up=$(now)
ip addr add 10.0.2.2/24 dev d0
wait $! || exit
echo $(($(now) - up))
kill $server
END
is "a network that comes up: the dump gets through" "$rc" 0
ok "a network that comes up: soon, after $(<"$T/out") ms" test "$(<"$T/out")" -lt 9000
ok "a network that comes up: the dump is right" "$vmrecv" --check -q "$T"/dumps/*/*/vmcore
in_network <<'END'
ip link add d0 type veth peer name p0
"$vmsend" --num-threads 0 --to tcp://10.0.2.2:5500 --retry 3 "$T/core"
END
like "a network that doesn't: says how long it is tried" "$(<"$T/err")" 'no server so far: trying for [123]\.[0-9] s more'
is "a network that doesn't: says so once" "$(grep -c 'no server so far' "$T/err")" 1

# --- a pipe that nobody reads

wait $stuck
is "a pipe that nobody reads: ends behind the deadline" "$? $(tail -n 1 "$T/stuck")" \
    "3 vmsend: stuck, and the deadline is long over"
done_testing
