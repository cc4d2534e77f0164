#!/bin/bash
# A collector that is killed: its memory has keys, and its children's has dumps, which belong on no disk.
# shellcheck disable=SC2154,SC2317 # collector_pid, port: collector.sh sets them; within calls a function
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

# Of 1 the kernel makes no core, be it for a file or for a program. Of 0 it makes one for a program.
if (ulimit -c unlimited) 2>/dev/null; then
    ulimit -c unlimited
    collect --plain-from 127.0.0.1
    like "a collector leaves no core" "$(<"/proc/$collector_pid/limits")" "Max core file size +1 +1 "
    exec {link}<>"/dev/tcp/127.0.0.1/$port"
    has_child() { child=$(xargs <"/proc/$collector_pid/task/$collector_pid/children") && [[ -n $child ]]; }
    within 30 has_child
    like "nor does a session of it" "$(<"/proc/$child/limits")" "Max core file size +1 +1 "
    exec {link}<&-
else
    skip "a collector leaves no core" "no core could be had here"
fi
done_testing
