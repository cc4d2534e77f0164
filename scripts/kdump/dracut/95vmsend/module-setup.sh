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
    # The link leads to PREFIX/share/vmsend, where the rest is.
    share=$(readlink -f "$moddir")
    share=${share%/dracut/*}
    prefix=${share%/share/vmsend}

    if [[ ! -r /etc/vmsend.conf ]]; then
        dfatal "vmsend: there is no /etc/vmsend.conf; vmsend-kdump-setup makes one"
        return 1
    fi
    for program in "$prefix/lib/vmsend/vmsend" "$prefix/bin/vmsend"; do
        [[ ! -x $program ]] || break
    done
    inst_binary "$program" /usr/sbin/vmsend || return 1
    inst_script "$share/vmsend-crash" /usr/sbin/vmsend-crash || return 1
    while read -r file; do
        inst_simple "$file" && continue
        dfatal "vmsend: $file, which /etc/vmsend.conf names, can't be had"
        return 1
    done < <("$share/vmsend-crash" --files)
    inst_multiple sleep sync

    # After the one that reads root=, before those that look for it.
    inst_hook cmdline 20 "$moddir/vmsend-cmdline.sh"
    # With the network up, before a root file system is mounted; at the latest when waiting is over.
    inst_hook pre-mount 05 "$moddir/vmsend-send.sh"
    inst_hook initqueue/timeout 05 "$moddir/vmsend-send.sh"
}
