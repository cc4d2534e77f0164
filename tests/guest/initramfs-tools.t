#!/bin/bash
# Debian, from `make install` to the dump: vmsend-kdump-setup enrols the machine at an ssh server, kdump-tools builds the
# crash kernel's initramfs by mkinitramfs, with our hook in it, and when the machine panics it brings its network up
# there, sends its dump, and reboots. Nothing of it is installed here.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
need mkinitramfs lsinitramfs unshare depmod sshd ssh-keygen ssh-keyscan
[[ $EUID -eq 0 ]] || { skip "initramfs-tools" "a private file system needs root"; done_testing; }
kernel=$(dirname "$vmlinux")

# debs NAME...: Debian 12's packages are in $cache/debs.
# shellcheck disable=SC2317 # ok calls it
debs() {
    local apt=$cache/apt/bookworm package
    mkdir -p "$cache/debs"
    for package; do
        compgen -G "$cache/debs/${package}_*.deb" >/dev/null && continue
        scripts/lab/apt-suites "$apt" bookworm && (cd "$cache/debs" && "$apt/apt-get" -qq download "$package") || return
    done
}
ok "Debian's kdump-tools is at hand" debs kdump-tools linux-base
ok "vmsend is there as one file" make -s BUILD="$BUILD" crashkernel
serve_ssh

# As an operator would: install, enrol, link the hook, and let kdump-tools build. The server has another address here
# than for the guest.
cat >"$T/build" <<EOF
set -eu
for package in kdump-tools linux-base; do
    dpkg-deb --fsys-tarfile $cache/debs/\${package}_*.deb | tar -x --keep-directory-symlink -C /
done
make -s BUILD=$BUILD PREFIX=/usr/local install
for link in hooks scripts/init-premount; do
    ln -s /usr/local/share/vmsend/initramfs-tools/\$link/vmsend /etc/initramfs-tools/\$link/
done
sed -i 's/^MODULES=.*/MODULES=list/' /etc/initramfs-tools/initramfs.conf
printf '%s\\n' virtio_pci virtio_net >>/etc/initramfs-tools/modules # the guest's, not this machine's
echo "127.0.0.1 dumpserver" >>/etc/hosts
vmsend-kdump-setup --name web1 --host-key $(ssh-keygen -l -f "$T/host_key.pub" | cut -d ' ' -f 2) \\
    ssh://dumpserver:${port[ssh]}$T/ssh >$T/setup || true # the server doesn't know the key yet
sed -n 's|^ *\(restrict,command="\)vmrecv|\1$vmrecv|p' $T/setup >$T/authorized_keys
vmsend --probe
sed -i '/dumpserver/s/.*/10.0.2.2 dumpserver/' /etc/hosts
version=\$(cat $kernel/version)
/etc/kernel/postinst.d/kdump-tools \$version # warns that anybody can read what it makes
echo UMASK=0077 >/etc/initramfs-tools/conf.d/vmsend
/etc/kernel/postinst.d/kdump-tools \$version >$T/quiet 2>&1
cp -p /var/lib/kdump/initrd.img-\$version $T/initrd
mkinitramfs -o /tmp/ordinary \$version
lsinitramfs /tmp/ordinary | grep -v conf.d >$T/ordinary
EOF
run env KERNEL="$kernel" scripts/lab/sandbox "$T" bash "$T/build"
is "kdump-tools builds its initramfs" "$rc $(grep -h '^E:' "$T/err" "$T/quiet")" "0 "
like "a key in an initramfs for all to read: warned of" "$(<"$T/err")" "W: vmsend: /etc/vmsend/id_ed25519 .* UMASK=0077"
is "and not in one that is its owner's" "$(grep 'W: vmsend' "$T/quiet") $(stat -c %a "$T/initrd")" " 600"
lsinitramfs -l "$T/initrd" | awk '{print $1, $NF}' >"$T/listing"
for file in "-rwxr-xr-x usr/sbin/vmsend" "-rwxr-xr-x usr/sbin/vmsend-crash" "-rw------- etc/vmsend.conf" \
    "-rw------- etc/vmsend/id_ed25519" "-rwxr-xr-x scripts/init-premount/vmsend"; do
    ok "it has ${file#* }" grep -qx -- "$file" "$T/listing"
done
is "an ordinary initramfs has nothing of it" "$(grep vmsend "$T/ordinary")" ""

: >"$T/script" # all is in the initramfs
start_guest test-initramfs-tools CRASHKERNEL=128M CRASH_INITRD="$T/initrd" CRASH_ENDS='reboot: Restarting system'
end_guest
ok "the server has it, it says" guest_says 'vmsend: ssh://dumpserver:.*complete and verified'
ok "the machine is left as the initramfs is told" guest_says 'vmsend-crash: reboot'
arrived ssh
is "under the name that the server has for it" "$(ls "$T/ssh")" web1
done_testing
