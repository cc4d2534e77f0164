#!/bin/bash
# dracut, as Debian has it, without systemd: an initramfs with our module in it; a machine that panics brings its
# network up there, finds its server by name, sends its dump, and reboots. Nothing of it is installed here.
# shellcheck source=tests/lib/scenario.sh
. "$(dirname "$0")/../lib/scenario.sh"
need dracut lsinitrd unshare depmod dhclient arping
[[ $EUID -eq 0 ]] || { skip "dracut" "a private file system needs root"; done_testing; }
kernel=$(dirname "$vmlinux")
ok "vmsend is there as one file" make -s BUILD="$BUILD" crashkernel
(umask 077; echo "web1:$(printf '%064d' 7)" >"$T/psk")
collect tls --tls-psk "$T/psk"

# As an operator would: install, link the module, say where dumps go, and let dracut build.
cat >"$T/build" <<EOF
set -eu
make -s BUILD=$BUILD PREFIX=/usr/local install
ln -s /usr/local/share/vmsend/dracut/95vmsend /usr/lib/dracut/modules.d/
echo "10.0.2.2 dumpserver" >>/etc/hosts
mkdir /etc/vmsend
cp -p $T/psk /etc/vmsend/psk
version=\$(cat $kernel/version)
build() {
    dracut --force --quiet --hostonly --no-hostonly-default-device --omit "systemd systemd-initrd dracut-systemd" \\
        --add "network-legacy vmsend" "\$@" \$version
}
! build --no-kernel $T/none 2>$T/unconfigured
printf '%s\\n' "to = tls://dumpserver:${port[tls]}" "tls-psk = /etc/vmsend/psk" "retry = 1m" >/etc/vmsend.conf
build --add-drivers "virtio_pci virtio_net" $T/initrd # the guest's, not this machine's
EOF
run env KERNEL="$kernel" scripts/lab/sandbox "$T" bash "$T/build"
is "dracut builds an initramfs" "$rc $(grep "can't be installed" "$T/err")" "0 "
like "without /etc/vmsend.conf it says what is missing" "$(<"$T/unconfigured")" "vmsend: there is no /etc/vmsend.conf"
is "it can be read by its owner only" "$(stat -c %a "$T/initrd")" "600"
lsinitrd "$T/initrd" | awk '$1 ~ /^-/ { print $1, $NF }' >"$T/listing"
for file in "-rwxr-xr-x usr/sbin/vmsend" "-rwxr-xr-x usr/sbin/vmsend-crash" "-rw-r--r-- etc/vmsend.conf" \
    "$(stat -c %A /etc/hosts) etc/hosts" "-rw------- etc/vmsend/psk"; do
    ok "it has ${file#* }" grep -qx -- "$file" "$T/listing"
done

: >"$T/script" # all is in the initramfs
start_guest test-dracut CRASHKERNEL=192M CRASH_INITRD="$T/initrd" CRASH_ENDS='sysrq: Resetting|reboot: Restarting system'
end_guest
ok "the server has it, it says" guest_says 'vmsend: tls://dumpserver:.*complete and verified'
ok "the machine is left as the initramfs is told" guest_says 'vmsend-crash: reboot'
arrived tls
done_testing
