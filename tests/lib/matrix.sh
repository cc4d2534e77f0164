# shellcheck shell=bash
# Sourced by the tests that put many dumps through the tests of tests/e2e: the readers that know each.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

if ! newer=$(scripts/lab/newer-tools 2>"$T/lab"); then
    fail "a newer suite's readers are there" "$(tail -n 5 "$T/lab")"
    done_testing
fi

# use_readers NAME: as `readers`, what the tests of that dump are given. crash 9 finds its way on 7.x with --no_modules
# only, and knows no slabs there: drgn walks them in its place. arm64's dumps are drgn's alone.
# shellcheck disable=SC2034 # readers: for those who source this
use_readers() {
    readers=(CRASH="$newer/crash" PYTHON="$newer/python3")
    case $(scripts/lab/dump -s "$1") in
    *-arm64*) readers+=(SLABS=1) ;;
    [0-6].*) ;;
    *) readers=(CRASH="$newer/crash --no_modules" PYTHON="$newer/python3" SLABS=1) ;;
    esac
    # crash counts the 128 MiB that the crash kernel may have, which are free, and which the vmcore leaves out.
    [[ $1 != *-cma ]] || readers+=(OUTSIDE=32768)
}

# reference NAME: the makedumpfile that knows its kernel. 1.7.2 does until 6.x, 1.7.8 until 7.0 or so: on 7.2 it
# drops the tails of slabs (page.compound_head is compound_info there), and its result opens in no reader. Of arm64
# 1.7.8 knows kernels that are built for 48 bits.
reference() {
    case $(scripts/lab/dump -s "$1") in
    *-arm64*) scripts/lab/foreign arm64 sid makedumpfile ;;
    5.*|6.[0-9].*) echo "$MAKEDUMPFILE" ;;
    6.*) echo "$newer/makedumpfile" ;;
    *) echo none ;;
    esac
}

# refuses NAME: what it says of a kernel that it refuses, as a regular expression; nothing of others.
refuses() {
    case $(scripts/lab/dump -s "$1") in
    5.*-arm64* | 6.[0-9][.-]*-arm64*) ;;
    *-arm64*) echo 'VA Bits 52 not supported' ;;
    esac
}
