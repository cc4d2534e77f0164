# shellcheck shell=bash
# Sourced by the tests: results as TAP, a temporary directory, and programs run for a look at what
# they did. Knows nothing of dumps.
#
# BUILD (default build) is the build that is tested; TOOLS (default the same) has the test tools.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BUILD=${BUILD:-build} TOOLS=${TOOLS:-${BUILD:-build}}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
[[ $TOOLS == /* ]] || TOOLS=$PWD/$TOOLS
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
# What the tests use.
# shellcheck disable=SC2034
vmsend=$BUILD/vmsend vmrecv=$BUILD/vmrecv vmdumps=$BUILD/vmdumps tools=$TOOLS/tests/tools preload=$TOOLS/tests/preload
# On a disk: a file: in memory is refused.
scratch=${TMPDIR:-/tmp}
[[ $(stat -f -c %T "$scratch") != @(tmpfs|ramfs) ]] || scratch=$BUILD
T=$(mktemp -d "$scratch/vmsend-test.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT

tap_count=0 tap_bad=0 rc=0

diag() { sed 's/^/# /' >&2; }

# pass NAME, fail NAME [REASON]
pass() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}
fail() {
    tap_count=$((tap_count + 1))
    tap_bad=$((tap_bad + 1))
    echo "not ok $tap_count - $1"
    [[ -z ${2:-} ]] || diag <<<"$2"
}

# skip NAME REASON: for what can't be on this machine.
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# ok NAME COMMAND...: the command succeeds; if not, what it said is shown.
ok() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then
        pass "$name"
    else
        fail "$name" "exit status $?: $*"$'\n'"$(head -c 4000 <<<"$said")"
    fi
}

# is NAME GOT WANT: two strings are the same.
is() {
    if [[ $2 == "$3" ]]; then
        pass "$1"
    else
        fail "$1" "got:  ${2:0:2000}"$'\n'"want: ${3:0:2000}"
    fi
}

# like NAME GOT REGEX: one string has a match of an extended regular expression.
like() {
    if [[ $2 =~ $3 ]]; then
        pass "$1"
    else
        fail "$1" "got:  ${2:0:2000}"$'\n'"want: a match of $3"
    fi
}

# run COMMAND...: run it, for rc, $T/out and $T/err.
run() {
    "$@" >"$T/out" 2>"$T/err"
    rc=$?
}

# told NAME STATUS REGEX: the last `run` ended with this status and one line on standard error, that
# matches; nothing of a sanitizer.
told() {
    local lines
    lines=$(wc -l <"$T/err")
    if [[ $rc == "$2" && $lines == 1 && $(<"$T/err") =~ $3 ]]; then
        pass "$1"
    else
        fail "$1" "exit status $rc, want $2; $lines lines, want one that matches $3:
$(head -c 4000 "$T/err")"
    fi
}

# free_port: a port of 127.0.0.1 where nothing listens.
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# need COMMAND...: what this test can't do without.
need() {
    local c
    for c; do
        type -P "$c" >/dev/null && continue
        fail "$c is installed" "./scripts/setup test installs it"
        done_testing
    done
}

# need_mounts NAME: skip the whole test, as NAME, where mounting isn't allowed.
need_mounts() {
    [[ $EUID == 0 ]] && unshare -m true 2>/dev/null && return
    skip "$1" "mounting isn't allowed"
    done_testing
}

# The last line of each test: without it the result has no plan, and counts as failed.
done_testing() {
    echo "1..$tap_count"
    exit $((tap_bad > 0))
}
