#!/bin/bash
# A server whose disk can't take the dump: where nothing but its operator can change that, it isn't tried again, and
# the next destination has the dump at once.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

tests/tools/mkcore "$T/core" 1M
"$vmsend" -q -d 1 --compress=none "$T/core" "$T/wanted" || exit 1

# send DIR [COMMAND...]: to a server whose dumps go to DIR, then to a file; by COMMAND, if that is given. It has to end
# long before the time of --retry is over.
send() {
    local dir=$1
    shift
    run timeout 100 "$@" "$vmsend" -d 1 --compress=none --retry 10m \
        --to "exec:exec $vmrecv --stdio --host vm1 --dir $dir" --to "file:$T/here" "$T/core"
}
# is_final NAME REGEX
is_final() {
    is "$1: file: has the dump" "$rc" 0
    like "$1: the server isn't tried again" "$(<"$T/err")" "receiver refuses: $2[^"$'\n'"]*; not tried again"
    ok "$1: the dump is right" cmp "$T/wanted" "$T/here"
    rm -f "$T"/here*
}

mkdir "$T/dumps"
# shellcheck disable=SC2016 # for the inner shell
readonly_tmpfs=(unshare -m bash -c 'mount -t tmpfs none "$0" && mount -o remount,ro "$0" && exec "$@"' "$T/dumps")
if "${readonly_tmpfs[@]}" true 2>/dev/null; then
    send "$T/dumps" "${readonly_tmpfs[@]}"
    is_final "a read-only disk" '.*Read-only file system'
    # And one of this machine, ahead of another.
    run timeout 100 "${readonly_tmpfs[@]}" "$vmsend" -d 1 --compress=none --retry 10m \
        --to "file:$T/dumps/a" --to "file:$T/here" "$T/core"
    is "a read-only disk here: the next destination has the dump" "$rc" 0
    rm -f "$T"/here*
    # One on which the dump has no room.
    tests/tools/mkcore "$T/large" 16M
    head -c 8M /dev/urandom | dd of="$T/large" bs=1M seek=2 conv=notrunc status=none
    # shellcheck disable=SC2016 # for the inner shell
    run timeout 100 unshare -m bash -c 'mount -t tmpfs -o size=3m none "$0" && exec "$@"' "$T/dumps" "$vmsend" -d 1 \
        --compress=none --retry 10m --to "exec:exec $vmrecv --stdio --host vm1 --dir $T/dumps" "$T/large"
    is "a disk without room for the dump: refused" "$rc" 5
    like "a disk without room for the dump: what there is" "$(<"$T/err")" \
        'no space: 3\.0 MiB are free, and min-free keeps 15[0-9] KiB'
    like "a disk without room for the dump: not tried again" "$(<"$T/err")" 'not tried again'
else
    skip "a read-only disk" "mounting a tmpfs isn't allowed"
fi

: >"$T/file"
send "$T/file"
is_final "--dir is a file" '.*Not a directory'
ln -s loop "$T/loop"
send "$T/loop"
is_final "--dir is a link to itself" '.*Too many levels'
send "$T/not/there"
is_final "--dir is below a directory that isn't there" '.*No such file'
ln -s elsewhere "$T/dumps/vm1"
send "$T/dumps"
is_final "the host's directory is a link" '.*vm1'
done_testing
