#!/bin/bash
# What limits of the system do to vmsend: it says so, and keeps what it wrote.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need python3

ok "there is a core" tests/tools/mkcore --every 1 "$T/core" 16M
limit='ulimit -f 1024; exec "$@"' # KiB: a write beyond raises SIGXFSZ

run bash -c "$limit" - "$vmsend" -q -d 1 --compress=none "$T/core" "$T/dump"
told "a file size limit is an error, and not the end by a signal" 1 "dump.part: write: File too large"
ok "what was written stays as DUMPFILE.part" test -s "$T/dump.part"
ok "and not under the final name" test ! -e "$T/dump"
done_testing
