# shellcheck shell=bash
# Sourced by the tests that put many dumps through the tests of tests/e2e: the readers that know each, and how what
# they said is passed on.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

if ! newer=$(scripts/lab/newer-tools 2>"$T/lab"); then
    fail "a newer suite's readers are there" "$(tail -n 5 "$T/lab")"
    done_testing
fi

# use_readers NAME: as `readers`, what the tests of that dump are given. crash 9 finds its way on 7.x with --no_modules
# only, and knows no slabs there: drgn walks them in its place.
# shellcheck disable=SC2034 # readers: for those who source this
use_readers() {
    readers=(CRASH="$newer/crash" PYTHON="$newer/python3")
    [[ $(scripts/lab/dump -s "$1") == [0-6].* ]] ||
        readers=(CRASH="$newer/crash --no_modules" PYTHON="$newer/python3" SLABS=1)
    # crash counts the 128 MiB that the crash kernel may have, which are free, and which the vmcore leaves out.
    [[ $1 != *-cma ]] || readers+=(OUTSIDE=32768)
}

# reference NAME: the makedumpfile that knows its kernel. 1.7.2 does until 6.x, 1.7.8 until 7.0 or so: on 7.2 it
# drops the tails of slabs (page.compound_head is compound_info there), and its result opens in no reader.
reference() {
    case $(scripts/lab/dump -s "$1") in
    5.*|6.[0-9].*) echo "$MAKEDUMPFILE" ;;
    6.*) echo "$newer/makedumpfile" ;;
    *) echo none ;;
    esac
}

# passes NAME VARIABLE=VALUE... TEST: with what it has to say of the dump.
passes() {
    local name=$1 bad=0 start=$SECONDS
    shift
    env "$@" >"$T/out" 2>"$T/err" || bad=1
    if ((bad == 0)); then
        pass "$name: $(grep -c '^ok' "$T/out") tests, $((SECONDS - start)) s"
        grep '^#' "$T/err" >&2
    else
        fail "$name" "$(grep '^not ok' "$T/out")
$(head -c 6000 "$T/err")"
    fi
}
