#!/bin/bash
# dracut: put vmsend, its configuration and its keys into a crash kernel's initramfs. Only on demand
# (--add vmsend). The folder belongs, as a link, into dracut's modules.d.

# shellcheck disable=SC2154 # moddir: dracut's

check() {
    return 255
}

depends() {
    echo network
}

install() {
    local share prefix program file
    # A module that fails is left out, and dracut goes on: an image that can't send would look like one that
    # can. So this ends dracut.
    fail() {
        dfatal "vmsend: $*"
        exit 1
    }
    # The link leads to PREFIX/share/vmsend, where the rest is.
    share=$(readlink -f "$moddir")
    share=${share%/dracut/*}
    prefix=${share%/share/vmsend}

    [[ -r /etc/vmsend.conf ]] || fail "there is no /etc/vmsend.conf; vmsend-kdump-setup makes one"
    for program in "$prefix/lib/vmsend/vmsend" "$prefix/bin/vmsend"; do
        [[ ! -x $program ]] || break
    done
    inst_binary "$program" /usr/sbin/vmsend || fail "$program can't be had"
    inst_script "$share/vmsend-crash" /usr/sbin/vmsend-crash || fail "$share/vmsend-crash can't be had"
    while read -r program; do
        inst_binary "$program" || fail "there is no $program, which an exec: of /etc/vmsend.conf starts"
    done < <("$share/vmsend-crash" --programs)
    while read -r file; do
        inst_simple "$file" || fail "$file, which /etc/vmsend.conf names, can't be had"
    done < <("$share/vmsend-crash" --files)
    # fstab_lines: what dracut --mount was told; dracut writes it into the image after this.
    # shellcheck disable=SC2154 # fstab_lines, initdir: dracut's
    while read -r file; do
        fail "nothing mounts a disk for file:$file, where a reboot would lose the dump: if another script of the" \
            "initramfs does, name its mount point in MOUNTED of /etc/default/vmsend"
    done < <("$share/vmsend-crash" --unmounted "${initdir-}/etc/fstab" "${initdir-}/etc/fstab.sys" \
        <(printf '%s\n' "${fstab_lines[@]-}"))
    inst_multiple sleep sync || fail "sleep and sync can't be had"

    # After the one that reads root=, before those that look for it.
    inst_hook cmdline 20 "$moddir/vmsend-cmdline.sh"
    # With the network up, before a root file system is mounted; at the latest when waiting is over.
    inst_hook pre-mount 05 "$moddir/vmsend-send.sh"
    inst_hook initqueue/timeout 05 "$moddir/vmsend-send.sh"
}
