# shellcheck shell=bash
# Sourced by the lab's scripts: where output goes, and how they speak.
#
# VMSEND_CACHE (default ~/.cache/vmsend) holds everything that is downloaded or made:
#   kernels/VERSION   unpacked kernels; kernels/SERIES is a link to one
#   sysroots/         programs and libraries of other architectures
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

# machine SERIES: what a guest with a kernel of that series is made of, by the architecture at the end of its name
# (6.1-cloud-arm64, 6.12.57+deb13-arm64-16k; none: amd64). Sets arch (Debian's name), triplet, cross (the prefix of its
# compiler; empty: this machine's own), qemu, qemu_user (runs its programs here), qemu_machine, default_cpu and console.
# shellcheck disable=SC2034 # for those who source this
machine() {
    case $1 in
    *-arm64 | *-arm64-16k)
        arch=arm64 triplet=aarch64-linux-gnu qemu=qemu-system-aarch64 qemu_machine="-M virt"
        qemu_user="qemu-aarch64-static" default_cpu=cortex-a72 console=console=ttyAMA0
        ;;
    *) # no_timer_check: on a busy host the test of the timer fails without a reason
        arch=amd64 triplet=x86_64-linux-gnu qemu=qemu-system-x86_64 qemu_machine=
        qemu_user="qemu-x86_64-static"
        # No cx16: QEMU 7.2's cmpxchg16b corrupts the flags now and then, which ends in a double fault in SLUB.
        default_cpu=max,-la57,-cx16 console="console=ttyS0 no_timer_check"
        ;;
    esac
    cross=
    [[ $arch == "$(dpkg --print-architecture)" ]] || cross=$triplet-
}

# unpack_packages APT ROOT PATTERN PACKAGE...: unpack packages, and of all that they need those whose names match
# PATTERN (a regular expression of Perl), into ROOT. APT is apt-suites' folder.
unpack_packages() {
    local apt=$1 root=$2 pattern=$3 names real debs deb
    shift 3
    debs=$(mktemp -d "$VMSEND_CACHE/.debs.XXXXXX")
    mapfile -t names < <("$apt/apt-cache" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances "$@" | grep '^[a-z0-9]' | cut -d: -f1 | grep -P -- "$pattern" | sort -u)
    mapfile -t real < <("$apt/apt-cache" show --no-all-versions "${names[@]}" 2>/dev/null |
        sed -n 's/^Package: //p' | sort -u) # without the virtual packages
    (cd "$debs" && "$apt/apt-get" -qq download "${real[@]}") || { rm -rf "$debs"; return 1; }
    mkdir -p "$root"
    for deb in "$debs"/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" |
            tar -x -C "$root" --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' || { rm -rf "$debs"; return 1; }
    done
    rm -rf "$debs"
}

# locked NAME: hold the lock NAME until the script ends; say so if it takes a wait.
locked() {
    mkdir -p "$VMSEND_CACHE/lock"
    exec {lock_fd}>"$VMSEND_CACHE/lock/$1"
    flock -n "$lock_fd" || {
        say "waiting for another run that makes $1"
        flock "$lock_fd"
    }
}
