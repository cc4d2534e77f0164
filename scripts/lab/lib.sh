# shellcheck shell=bash
# Sourced by the lab's scripts: where output goes, and how they speak.
#
# VMSEND_CACHE (default ~/.cache/vmsend) holds everything that is downloaded or made:
#   kernels/VERSION   unpacked kernels; kernels/SERIES is a link to one
#   dumps/NAME.KEY.*  finished dumps: vmcore, serial.log, kernel (its version)
#   runs/NAME         the guest that is running, or one that failed
#   apt/ lock/        private package lists; locks
umask 022
VMSEND_CACHE=${VMSEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmsend}
[[ $VMSEND_CACHE == /* ]] || VMSEND_CACHE=$PWD/$VMSEND_CACHE
export VMSEND_CACHE
# shellcheck disable=SC2034 # for those who source this
lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin # kexec, mke2fs and sshd live there

say() { printf '%s\n' "$*" >&2; }
die() {
    say "${0##*/}: $*"
    exit 1
}
# usage: the comment at the head of the script, as its help text.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# locked NAME: hold the lock NAME until the script ends; say so if it takes a wait.
locked() {
    mkdir -p "$VMSEND_CACHE/lock"
    exec {lock_fd}>"$VMSEND_CACHE/lock/$1"
    flock -n "$lock_fd" || {
        say "waiting for another run that makes $1"
        flock "$lock_fd"
    }
}
