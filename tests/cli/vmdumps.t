#!/bin/bash
# vmdumps: which dumps a collector has, by its files alone; and that nothing of others' text reaches a terminal as it is.
# shellcheck disable=SC2154 # tap.sh sets vmdumps, vmsend, vmrecv
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh

tests/tools/mkcore "$T/core" 2M
"$vmsend" -q -d 1 "$T/core" "$T/dump" || exit 1
D=$T/dumps
mkdir -m 700 "$D"

# put HOST TIME FILE...: a dump made by hand.
put() {
    mkdir -p "$D/$1/$2"
    for file in "${@:3}"; do cp "$T/dump" "$D/$1/$2/$file"; done
    chmod -R go= "$D"
}
# dumps ARGUMENT...: vmdumps with that store.
dumps() { run "$vmdumps" --dir "$D" "$@"; }
# rows: the names of the dumps that were listed.
rows() { sed 1d "$T/out" | cut -d' ' -f1 | paste -sd' '; }

# --- what there is

dumps list
is "a store without dumps: a head, and no row" "$rc $(wc -l <"$T/out")" "0 1"
put web2 2026-11-30T10-00-00Z vmcore
put web1 2026-12-01T03-02-05Z vmcore
put web1 2026-12-01T03-02-05Z-2 vmcore.part
put web1 2026-11-29T01-00-00Z
echo "panic" >"$D/web1/2026-11-29T01-00-00Z/vmcore-dmesg.txt"
mkdir -p "$D/web1/notes" "$D/.vmrecv"
echo mine >"$D/web1/notes/vmcore"
dumps list
is "list: the oldest first, and nothing that isn't a dump" "$(rows)" \
    "web1/2026-11-29T01-00-00Z web2/2026-11-30T10-00-00Z web1/2026-12-01T03-02-05Z web1/2026-12-01T03-02-05Z-2"
like "list: a log that came alone is no dump" "$(<"$T/out")" '2026-11-29T01-00-00Z +- +[^ ]+ [KMG]?i?B +log only'
like "list: a dump that broke off is incomplete" "$(<"$T/out")" '05Z-2 .* incomplete '
dumps list web2
is "list HOST: of that host" "$(rows)" "web2/2026-11-30T10-00-00Z"
dumps list web
told "list of a beginning of a name: is told, not taken" 1 'has no dump "web".*name HOST'
dumps list web1/2026-12-01T03-02-05Z/
is "list HOST/TIME/, as a shell completes it: that one" "$(rows)" "web1/2026-12-01T03-02-05Z"
dumps list web2 web9
told "list: a name that stands for nothing is told" 1 'has no dump "web9"'
is "and the others are there" "$(rows)" "web2/2026-11-30T10-00-00Z"
dumps list --incomplete
is "list --incomplete" "$(rows)" "web1/2026-11-29T01-00-00Z web1/2026-12-01T03-02-05Z-2"
for since in 2026-12-01 2026-12-01T03:02:05Z 2026-12-01T03-02-05Z '2026-12-01 03:02:05'; do
    dumps list --since "$since"
    is "list --since '$since': at that second or later" "$(rows)" \
        "web1/2026-12-01T03-02-05Z web1/2026-12-01T03-02-05Z-2"
done
now=$(date -u -d '90 minutes ago' +%Y-%m-%dT%H-%M-%SZ)
put web3 "$now" vmcore
for since in 1d 2h 100m; do
    dumps list web3 --since "$since"
    is "list --since $since: ago" "$(rows)" "web3/$now"
done
dumps list --since 1h
is "list --since 1h: not an older one" "$(rows)" ""
rm -r "$D/web3"
for since in yesterday 2026-13-01 1w ''; do
    dumps list --since "$since"
    told "list --since '$since': says what is accepted" 2 '^vmdumps: --since.*neither a time.*nor one ago'
done
for since in 2026-12-01 7d; do
    dumps show web1 --since "$since"
    told "show --since: refused" 2 '--since and --incomplete go with list'
done

# --- a session's dump

collect --plain-from 127.0.0.0/8
timeout 60 "$vmsend" -q -d 1 --to "tcp://127.0.0.1:$port" "$T/core" || fail "a dump comes" "exit status $?"
stop_collector
name=$(cd "$D" && echo 127.0.0.1/*)
release=$(jq -r .osrelease "$D/$name/meta.json")
dumps list 127.0.0.1
like "list: a dump that a collector took, with its kernel" "$(<"$T/out")" "$name +$release +[0-9.]+ [KM]iB +complete "
dumps show 127.0.0.1
is "show HOST: its newest dump" "$rc $(head -n 1 "$T/out")" "0 $name"
like "show: what meta.json says" "$(<"$T/out")" "kernel +$release"
like "and how the host was proved" "$(<"$T/out")" "host proved by +$(jq -r .host_proved_by "$D/$name/meta.json")"
dumps show --json 127.0.0.1
is "show --json: all of meta.json" "$(jq -S '.[0].meta' "$T/out")" "$(jq -S . "$D/$name/meta.json")"
dumps list --json
is "list --json: one object for each dump" "$(jq -r '.[] | .host + "/" + .time' "$T/out" | paste -sd' ')" \
    "web1/2026-11-29T01-00-00Z web2/2026-11-30T10-00-00Z web1/2026-12-01T03-02-05Z web1/2026-12-01T03-02-05Z-2 $name"
is "list --json: status, path, and null for a record that isn't there" \
    "$(jq -c '.[0] | [.status, .path, .pinned, .meta]' "$T/out")" \
    "[\"log only\",\"$D/web1/2026-11-29T01-00-00Z\",false,null]"
dumps check 127.0.0.1
is "check: of a dump by its name" "$rc" 0
dumps info "$name"
like "info: of a dump by its name" "$rc $(<"$T/out")" "^0 $D/$name/vmcore"
truncate -s 100K "$D/web2/2026-11-30T10-00-00Z/vmcore"
dumps check web2
like "check: one that is cut short is told by the status" "$rc" "^[14]$"
dumps check web9
told "check: of no dump" 1 'has no dump "web9"'

# --- text of others

evil=$'\e[2Jboo\x07'
jq --arg evil "$evil" '.panic = $evil | .osrelease = $evil | .panic_task = {comm: $evil} | .peer = $evil' \
    "$D/$name/meta.json" >"$T/meta" && cp "$T/meta" "$D/$name/meta.json"
printf 'line\twith \e[2J\x07\r\x9b\xff\\x\nnext\n' >"$D/$name/vmcore-dmesg.txt"
put $'we\e[2Jb' 2026-11-01T00-00-00Z vmcore
for what in "list" "show 127.0.0.1" "log 127.0.0.1" "list --json" "show --json 127.0.0.1"; do
    # shellcheck disable=SC2086 # words
    dumps $what
    is "$what: no byte of control reaches the terminal" "$rc $(tr -d '\n\t\40-\176' <"$T/out" | wc -c)" "0 0"
done
dumps log 127.0.0.1
is "log: all of it, with what isn't text as numbers" "$(<"$T/out")" $'line\twith \\x1b[2J\\x07\\x0d\\x9b\\xff\\x\nnext'
dumps list
like "list: shows the panic as numbers, too" "$(<"$T/out")" 'complete +\\x1b\[2Jboo\\x07'
dumps show "$evil"
like "a word of the command line, in an error" "$rc $(<"$T/err")" '^1 .*no dump "\\x1b\[2Jboo\\x07"'
rm -r "$D/"$'we\e[2Jb'

# What lies there in place of a record is no reason to fail: a link, a pipe, a text, too much.
secret=$T/secret.json
echo '{"osrelease": "secret"}' >"$secret"
for kind in link pipe text array large; do
    rm -f "$D/$name/meta.json"
    case $kind in
    link) ln -s "$secret" "$D/$name/meta.json" ;;
    pipe) mkfifo "$D/$name/meta.json" ;;
    text) echo "no JSON" >"$D/$name/meta.json" ;;
    array) echo '["osrelease"]' >"$D/$name/meta.json" ;;
    large) { printf '{"osrelease": "large", "x": "'; head -c 100000 /dev/zero | tr '\0' x; echo '"}'; } >"$D/$name/meta.json" ;;
    esac
    dumps list 127.0.0.1
    like "list: a $kind in place of meta.json" "$rc $(<"$T/out")" "^0 .*$name +- "
done
rm -f "$D/$name/vmcore-dmesg.txt"
dumps log 127.0.0.1
told "log: where there is none, how to get it" 1 "no log beside the dump; try makedumpfile --dump-dmesg"

# --- what stays

dumps pin web2/2026-11-30T10-00-00Z web1/2026-12-01T03-02-05Z
is "pin: done, and told" "$rc $(wc -l <"$T/err") $(cd "$D" && echo */*/keep)" \
    "0 2 web1/2026-12-01T03-02-05Z/keep web2/2026-11-30T10-00-00Z/keep"
dumps list web2
like "list: says that a dump is pinned" "$(<"$T/out")" 'complete, pinned'
dumps unpin web2/2026-11-30T10-00-00Z
is "unpin: takes it back" "$rc $(cd "$D" && echo */*/keep)" "0 web1/2026-12-01T03-02-05Z/keep"
dumps pin web2
told "pin HOST: which dump is to be said" 1 'name HOST/TIME'

printf 'keep-dumps = 1\ndir = %s\n' "$D" >"$T/conf"
put web1 2026-12-01T03-03-00Z vmcore
put web1 2026-12-01T03-04-00Z vmcore
# dirs: what lies below hosts.
dirs() { find "$D" -mindepth 2 -maxdepth 2 -not -path '*/.vmrecv/*' | sort; }
before=$(dirs)
run "$vmdumps" tidy --dry-run --config "$T/conf"
like "tidy --dry-run: says what would go, and by which rule" "$rc $(<"$T/out")" \
    '^0 web1/2026-12-01T03-03-00Z  .* would go by keep-dumps$'
is "and changes nothing" "$(dirs)" "$before"
run "$vmdumps" --config "$T/conf" tidy
like "tidy: says what went" "$rc $(<"$T/out")" '^0 web1/2026-12-01T03-03-00Z  .* removed by keep-dumps$'
is "and only that is gone, not what is pinned" "$(dirs)" \
    "$(grep -v 03-03-00Z <<<"$before")"
printf 'dir = %s\n' "$D" >"$T/conf"
run "$vmdumps" --config "$T/conf" tidy
told "tidy without a rule: says so" 0 "no rule by which dumps go"

# --- command lines

run "$vmdumps"
told "no verb: says what there is" 2 '^vmdumps: name what to do: list, show'
run "$vmdumps" lst
told "another verb: the same" 2 '"lst" is none of list'
for line in "show" "log" "check" "info" "pin" "unpin"; do
    run "$vmdumps" "$line"
    told "$line without a dump: refused" 2 "$line: name a dump"
done
run "$vmdumps" tidy web1
told "tidy of one dump: refused" 2 '"web1" is one argument too many'
run "$vmdumps" list --dry-run
told "list --dry-run: refused" 2 'dry-run goes with tidy'
run "$vmdumps" pin --json a/b
told "pin --json: refused" 2 'json goes with list, show and info'
run "$vmdumps" list --dir "$T/nowhere"
told "a directory that isn't there" 1 'nowhere: No such file'
run "$vmdumps" list --config "$T/nowhere.conf"
told "a configuration file that isn't there" 2 'nowhere.conf: .*No such file'
echo 'keep-days = 0' >"$T/conf"
run "$vmdumps" list --config "$T/conf"
told "a mistake in it is named by file and line" 2 'conf:1: '
"$vmdumps" --dir "$D" list >/dev/full 2>"$T/err"
rc=$?
told "a full disk at standard output" 1 "standard output: can't be written"

# --- completion

# completed WORD...: what the last of the words becomes.
completed() {
    bash -c '. scripts/completion/vmdumps; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmdumps; printf "%s\n" "${COMPREPLY[@]}" | sort | paste -sd" "' bash "$@"
}
is "completion: of a verb" "$(completed vmdumps '' | wc -w) $(completed vmdumps pi)" "8 pin"
is "completion: of a host, and of its dumps" "$(completed vmdumps --dir "$D" log web2 2>&1) $(completed vmdumps --dir "$D" log web2/)" \
    "web2/ web2/2026-11-30T10-00-00Z"
is "completion: of an option that the verb has" "$(completed vmdumps tidy --d)" "--dir --dry-run"
done_testing
