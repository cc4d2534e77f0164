#!/bin/bash
# ssh:// against the OpenSSH server of a newer suite, unpacked aside, with its defaults: all that tests/e2e/ssh.t
# shows of the installed one.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

for suite in ${SUITES:-trixie sid}; do
    if ! newer=$(scripts/lab/newer-sshd "$suite" 2>"$T/lab"); then
        fail "OpenSSH of $suite is there" "$(tail -n 5 "$T/lab")"
        continue
    fi
    if SSHD=$newer/sshd SSHD_CONFIG=$(<"$newer/config") tests/e2e/ssh.t >"$T/out" 2>"$T/err"; then
        pass "$suite, $("$newer/sshd" -V 2>&1 | cut -d , -f 1): $(grep -c '^ok' "$T/out") tests"
    else
        fail "$suite" "$(grep '^not ok' "$T/out")
$(head -c 4000 "$T/err")"
    fi
done
done_testing
