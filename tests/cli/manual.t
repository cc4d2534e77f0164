#!/bin/bash
# The options that --help shows are those of the manual page, and both can be read; the page's examples are shown as they
# are typed, and each of their commands is understood by its program.
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need mandoc

# Long options of --help, and of the manual page's list of options, one a line, sorted.
of_help() { "$1" --help | grep -oE '^ +(-[A-Za-z], )?--[a-z-]+' | grep -oE -e '--[a-z-]+' | sort; }
of_manual() { sed -nE 's/^\.It (Fl [A-Za-z] , )?Fl Fl ([a-z-]+).*/--\2/p' "$1" | sort; }

for program in "$BUILD/vmsend" "$BUILD/vmrecv" "$BUILD/vmdumps" scripts/kdump/kdump-setup; do
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

# --- examples

# blocks PAGE: its examples and files, as a reader types them, each after a line of "%%".
blocks() {
    awk '/^\.Bd -literal/ { print "%%"; inside = 1; next } /^\.Ed/ { inside = 0 }
        inside { gsub(/\\&/, ""); gsub(/\\e/, "\\"); print }' "$1"
}
# shown FORMATTER...: what a terminal gets, without indentation.
shown() { "$@" | sed $'s/.\b//g; s/^ *//'; }

formatters=("mandoc -Tascii")
type -P groff >/dev/null && formatters+=("groff -mandoc -Tascii -P-c")
for page in docs/*.8; do
    blocks "$page" | sed 's/^ *//' >"$T/typed"
    like "${page#docs/}: has examples" "$(<"$T/typed")" '%%'
    for formatter in "${formatters[@]}"; do
        # shellcheck disable=SC2086 # words
        text=$'\n'$(shown $formatter "$page")$'\n' missing=''
        while IFS= read -r -d '%' block; do
            [[ -z $block || $block == $'\n' || $text == *"$block"* ]] || missing+=$block
        done < <(sed 's/^%%$/%/' "$T/typed"; echo %)
        is "${page#docs/} by ${formatter%% *}: shows its examples line by line" "$missing" ""
    done
done

# Programs that stand in for those that the examples name. Ours read their command line, and do nothing of it; ssh runs
# what would run at the far end.
mkdir "$T/bin"
stub() { cat >"$T/bin/$1" && chmod +x "$T/bin/$1"; }
for name in vmsend vmrecv vmdumps; do
    stub "$name" <<END
#!/bin/bash
cat >/dev/null
echo "$name" >>"$T/ran"
exec "$BUILD/$name" "\$@" --version
END
done
stub vmsend-kdump-setup <<END
#!/bin/bash
echo "vmsend-kdump-setup" >>"$T/ran"
exec "$PWD/scripts/kdump/kdump-setup" "\$@" --help
END
stub ssh <<'END'
#!/bin/bash
shift
exec "$@"
END
# shellcheck disable=SC2016
for name in crash jq makedumpfile openssl ssh-keygen ssh-keyscan uname; do stub "$name" <<<$'#!/bin/bash\ncat >/dev/null'; done

# try_command LINE: without what it would read or write, as nothing is done.
try_command() {
    local ours='(^|[ |])(vmsend|vmrecv|vmdumps|vmsend-kdump-setup) '
    : >"$T/ran"
    PATH=$T/bin:/bin run bash -o pipefail -c "$(sed -E 's/ [<>] [^ ]+//g' <<<"$1")" </dev/null
    if [[ $1 =~ $ours && ! -s $T/ran ]]; then
        fail "${page#docs/}: $1" "no program of ours was run"
    else
        is "${page#docs/}: $1" "$rc $(<"$T/err")" "0 "
    fi
}

# try_file PROGRAM: the configuration file in $T/conf, of which nothing is done for want of a right command line.
try_file() {
    case $1 in
    vmsend) run "$vmsend" --config "$T/conf" a b c; told "${page#docs/}: its /etc/vmsend.conf" 2 '"c" is one argument too many' ;;
    vmrecv) run "$vmrecv" --config "$T/conf" --json a; told "${page#docs/}: its /etc/vmrecv.conf" 2 '--json goes with --info' ;;
    esac
}

for page in docs/*.8; do
    while IFS= read -r -d '%' block; do
        block=${block#$'\n'}
        case $block in
        '') ;;
        '# /etc/'*)
            echo "$block" >"$T/conf"
            try_file "$(sed -n '1s,.*/\(.*\)\.conf,\1,p' "$T/conf")"
            ;;
        restrict,*)
            block=${block#*command=\"}
            try_command "${block%%\"*}"
            ;;
        --*) while read -r line; do try_command "vmsend $line"; done <<<"${block%$'\n'}" ;;
        *) while read -r line; do try_command "$line"; done <<<"${block%$'\n'}" ;;
        esac
    done < <(blocks "$page" | sed ':joined; /\\$/ { N; s/\\\n *//; b joined }; s/^%%$/%/'; echo %)
done
done_testing
