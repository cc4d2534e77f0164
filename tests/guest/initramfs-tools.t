#!/bin/bash
# Debian: kdump-tools builds the crash kernel's initramfs by mkinitramfs, with our hook in it; a machine that panics
# brings its network up there, sends its dump, and reboots. Nothing of it is installed here.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
need mkinitramfs lsinitramfs unshare depmod
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
collect tcp --plain-from 127.0.0.1

# As an operator would: install, link the hook, say where dumps go, and let kdump-tools build.
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
printf '%s\\n' "to = tcp://10.0.2.2:${port[tcp]}" "retry = 1m" >/etc/vmsend.conf
echo "tls-psk = /etc/vmsend/psk" >>/etc/vmsend.conf # unused, a secret to be carried along
mkdir /etc/vmsend
(umask 077 && echo "web1:$(printf '%064d' 7)" >/etc/vmsend/psk)
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
like "a key in an initramfs for all to read: warned of" "$(<"$T/err")" "W: vmsend: /etc/vmsend/psk .* UMASK=0077"
is "and not in one that is its owner's" "$(grep 'W: vmsend' "$T/quiet") $(stat -c %a "$T/initrd")" " 600"
lsinitramfs -l "$T/initrd" | awk '{print $1, $NF}' >"$T/listing"
for file in "-rwxr-xr-x usr/sbin/vmsend" "-rwxr-xr-x usr/sbin/vmsend-crash" "-rw-r--r-- etc/vmsend.conf" \
    "-rw------- etc/vmsend/psk" "-rwxr-xr-x scripts/init-premount/vmsend"; do
    ok "it has ${file#* }" grep -qx -- "$file" "$T/listing"
done
is "an ordinary initramfs has nothing of it" "$(grep vmsend "$T/ordinary")" ""

: >"$T/script" # all is in the initramfs
start_guest test-initramfs-tools CRASHKERNEL=192M CRASH_INITRD="$T/initrd" CRASH_ENDS='reboot: Restarting system'
end_guest
ok "the server has it, it says" guest_says 'vmsend: tcp://10\.0\.2\.2:.*complete and verified'
ok "the machine is left as the initramfs is told" guest_says 'vmsend-crash: reboot'
arrived tcp
done_testing
