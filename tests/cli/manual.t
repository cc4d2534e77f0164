#!/bin/bash
# The options that --help shows are those of the manual page, and both can be read.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need mandoc

# Long options of --help, and of the manual page's list of options, one a line, sorted.
of_help() { "$1" --help | grep -oE '^ +(-[A-Za-z], )?--[a-z-]+' | grep -oE -e '--[a-z-]+' | sort; }
of_manual() { sed -nE 's/^\.It (Fl [A-Za-z] , )?Fl Fl ([a-z-]+).*/--\2/p' "$1" | sort; }

for program in "$BUILD/vmsend" "$BUILD/vmrecv" scripts/kdump/kdump-setup; do
    name=${program##*/}
    [[ $program != scripts/* ]] || name=vmsend-$name # as it is installed
    page=docs/$name.8
    is "$name.8: has the options of --help, and no other" "$(of_manual "$page")" "$(of_help "$program")"
    # What the page refers to need not be installed here.
    is "$name.8: mandoc finds nothing" "$(mandoc -Tlint "$page" 2>/dev/null | grep -v 'referenced manual not found')" ""
    "$program" --help >"$T/help" 2>"$T/err"
    is "$name --help: ends well" $? 0
    is "$name --help: says nothing on standard error" "$(<"$T/err")" ""
    # With bytes counted, a wide character makes a line look longer than it is, never shorter.
    is "$name --help: has lines of at most 80 columns" "$(awk 'length > 80' "$T/help")" ""
    column=$(grep -E '^ +(-[A-Za-z], )?--' "$T/help" | sed -E 's/^( +(-[A-Za-z], )?--[^ ]+ +).*/\1/' | awk '{ print length }' | sort -u)
    like "$name --help: begins the explanations in one column" "$column" '^[0-9]+$'
done
done_testing
