#!/bin/bash
# The stream of a real vmcore, cut short in and around its records: see damage.t for what has to come of it.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/cut.sh
. "$(dirname "$0")/../lib/cut.sh"

use_core k61-512m
prepare "$core" -d 1 -l
records=$(wc -l <"$T/records")
some=(1 2 3 4 5 6 7 $((records / 2)) $((records - 2)) $((records - 1)) "$records") kinds='^(before|in) record'
[[ -z $FULL ]] || { mapfile -t some < <(seq 1 "$records"); kinds=''; }
cut_all "$name" < <(for i in "${some[@]}"; do sed -n "${i}p" "$T/records"; done | places | grep -E "$kinds")
done_testing
