#!/bin/bash
# A receiver that wants a dump of another level: it may get less than this side's operator allows, never more.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

tests/tools/mkcore "$T/core" 1M

# asks LEVEL OPTION...: vmsend with a receiver that wants that level, once, and then hangs up; rc, $T/err, and in
# $T/heard what the receiver was told.
asks() {
    local level=$1 port
    shift
    exec {server}< <(timeout 100 tests/tools/peer --listen accept until:HELLO welcome until:TOTALS "go:2:$level" close \
        accept until:HELLO 2>&1)
    read -r -u "$server" port
    run timeout 60 "$vmsend" --compress=none "$@" --to "tcp://127.0.0.1:$port" --retry 0 "$T/core"
    cat <&"$server" >"$T/heard"
    exec {server}<&-
}
levels() { grep -ao ' level=[0-9]*' "$T/heard" | xargs; }

asks 31 -d 0
is "more is to be left out: so it is" "$(levels)" "level=0 level=1"
like "more is to be left out: is said" "$(<"$T/err")" "the receiver wants a dump of level 31: this is one of level 1"
asks 0 -d 1
is "less is to be left out: it isn't" "$rc $(levels)" "5 level=1"
like "less is to be left out: is said" "$(<"$T/err")" "wants a dump of level 0, which isn't to be had with level 1"
done_testing
