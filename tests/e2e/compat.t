#!/bin/bash
# Peers of another version: an old vmsend with this vmrecv, this vmsend with an old vmrecv, and what either has left
# on a disk. Fleets are never upgraded at once, and a crash kernel's initramfs last of all.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "$0")/../lib/e2e.sh"
# shellcheck source=tests/lib/collector.sh
. tests/lib/collector.sh
need git make cmp

# The last commit before dump_id, sums and new frames came.
old=a0d61af
if ! old_bin=$(scripts/lab/old-programs $old 2>"$T/lab"); then
    if grep -q "history has no" "$T/lab"; then
        skip "peers of another version" "this copy of the repository has no history"
    else
        fail "the programs of $old are built" "$(tail -n 5 "$T/lab")"
    fi
    done_testing
fi
old_vmsend=$old_bin/vmsend old_vmrecv=$old_bin/vmrecv
store=$T/store

tests/tools/mkcore --every 1 "$T/core" 24M
run "$vmsend" -q -d 1 --compress=zlib "$T/core" "$T/want"
# same NAME DUMP: it is what this vmsend writes into a file.
same() { ok "$1: the dump is whole" cmp "$T/want" "$2"; }
# pair NAME VMSEND VMRECV: a session, from one to the other.
pair() {
    rm -rf "$store"
    run "$2" -d 1 --compress=zlib --to "exec:$3 --stdio -q --dir $store --host web1" "$T/core"
    said "$1: verified by the far end" 0 'complete and verified'
    same "$1" "$store"/web1/*/vmcore
}
pair "an old vmsend, this vmrecv" "$old_vmsend" "$vmrecv"
run "$old_vmrecv" --check -q "$store"/web1/*/vmcore
is "this vmrecv's store: an old --check takes it" "$rc" 0
run "$old_vmsend" -d 1 --compress=zlib --to "exec:$vmrecv --stdio -q --dir $store --host web1" "$T/core"
said "an old vmsend, this vmrecv: a second time it is there already" 0 'already|verified'
pair "this vmsend, an old vmrecv" "$vmsend" "$old_vmrecv"
run "$vmrecv" --check -q "$store"/web1/*/vmcore
is "an old vmrecv's store: this --check takes it" "$rc" 0
run "$vmrecv" --info "$store"/web1/*/vmcore
is "an old vmrecv's store: this --info takes it" "$rc" 0
for way in "$old_vmsend $vmrecv" "$vmsend $old_vmrecv"; do
    read -r sender receiver <<<"$way"
    run "$sender" --probe --to "exec:$receiver --stdio -q --dir $store --host web1"
    is "a probe between versions: exit status" "$rc" 0
done

# --- a dump that one version began, and another goes on with

# resumed NAME FIRST THEN: the first link ends amid the dump, at one vmrecv; the next is another.
resumed() {
    rm -rf "$store" "$T/first"
    run "$old_vmsend" -v -d 1 --compress=none --to "exec:if mkdir $T/first 2>/dev/null; then
        dd bs=64K count=320 2>/dev/null | exec $2 --stdio -q --dir $store --host web1
    else exec $3 --stdio -q --dir $store --host web1; fi" "$T/core"
    said "$1: goes on where it was" 0 'goes on after checkpoint [1-9]'
    run "$3" --check -q "$store"/web1/*/vmcore
    is "$1: the dump is whole" "$rc" 0
}
resumed "a part that an old vmrecv left" "$old_vmrecv" "$vmrecv"
resumed "a part for an old vmrecv" "$vmrecv" "$old_vmrecv"

# --- collectors, streams and files

(umask 077; echo "web1:$(printf '%064d' 7)" >"$T/psk")
rm -rf "$T/dumps"
collect --tls-psk "$T/psk"
run "$old_vmsend" -d 1 --compress=zlib --tls-psk "$T/psk" --to "tls://127.0.0.1:$port" "$T/core"
said "an old vmsend, this collector: verified" 0 'complete and verified'
same "an old vmsend, this collector" "$T"/dumps/web1/*/vmcore
stop_collector
"$old_vmsend" -q -d 1 --compress=zlib "$T/core" >"$T/stream" 2>/dev/null
run "$vmrecv" -q "$T/from-old" <"$T/stream"
same "an old stream, this vmrecv" "$T/from-old"
"$vmsend" -q -d 1 --compress=zlib "$T/core" 2>/dev/null | "$old_vmrecv" -q "$T/to-old" 2>/dev/null
same "this stream, an old vmrecv" "$T/to-old"
done_testing
