#!/bin/bash
# What puts vmsend into an initramfs refuses to make one that can't send: without a configuration, without a program
# that an exec: starts; and make uninstall leaves no link that leads nowhere. On a throw-away copy of this machine.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need unshare make
[[ $EUID -eq 0 ]] || { skip "hooks of an initramfs" "a private file system needs root"; done_testing; }
[[ -r /usr/share/initramfs-tools/hook-functions ]] ||
    { skip "hooks of an initramfs" "initramfs-tools isn't installed"; done_testing; }

# The hook of initramfs-tools runs as mkinitramfs runs it. Of dracut there is what the module calls.
cat >"$T/hooks" <<'EOF'
set -u
out=$1 build=$2
exec >"$out/log" 2>&1
make -s BUILD="$build" PREFIX=/usr/local install
share=/usr/local/share/vmsend
mkdir -p /etc/initramfs-tools/{hooks,scripts/init-premount} /usr/lib/dracut/modules.d
for link in hooks scripts/init-premount; do ln -s $share/initramfs-tools/$link/vmsend /etc/initramfs-tools/$link/; done
ln -s $share/dracut/95vmsend /usr/lib/dracut/modules.d/
rm -f /etc/vmsend.conf
cp "$(type -P true)" /usr/local/bin/carrier

# with NAME: both, with the configuration that there is; NAME.tools and NAME.dracut are what they say and leave.
with() {
    mkdir -p "$out/$1/"{tools,dracut} "$out/conf"
    echo KDUMP=y >"$out/conf/initramfs.conf"
    mkdir -p "$out/conf/scripts/init-premount"
    ln -sf $share/initramfs-tools/scripts/init-premount/vmsend "$out/conf/scripts/init-premount/"
    CONFDIR=$out/conf DESTDIR=$out/$1/tools verbose=n version=none MODULESDIR=/nowhere \
        sh /etc/initramfs-tools/hooks/vmsend >"$out/$1.tools" 2>&1
    echo "rc $?" >>"$out/$1.tools"
    (
        dfatal() { echo "F: $*"; }
        inst_simple() { [[ -r $1 ]] && cp "$1" "$out/into/"; }
        inst_binary() { inst_simple "$(type -P "$1")"; }
        inst_script() { inst_simple "$1"; }
        inst_multiple() { :; }
        inst_hook() { :; }
        out_name=$1 moddir=/usr/lib/dracut/modules.d/95vmsend
        out=$out/$1 && mkdir -p "$out/into"
        . $moddir/module-setup.sh
        install
        echo "an image is made of it"
    ) >"$out/$1.dracut" 2>&1
    echo "rc $?" >>"$out/$1.dracut"
}
with unconfigured
echo "to = tcp://dumpserver:7777" >/etc/vmsend.conf
with simple
touch /etc/carrier.key
echo "to = exec:exec KEY=7 'carrier' -i /etc/carrier.key hub vmrecv --stdio # by it" >/etc/vmsend.conf
with program
rm /usr/local/bin/carrier
with missing
printf '%s\n' "to = tcp://dumpserver:7777" "to = file:/mnt/crash/" >/etc/vmsend.conf
with unmounted
fstab_lines=("/dev/vdb /mnt ext4 defaults")
mkdir -p "$out/mounted/tools/etc"
echo "${fstab_lines[0]}" >"$out/mounted/tools/etc/fstab"
with mounted
fstab_lines=("none /mnt tmpfs defaults" "/dev/vda / ext4 defaults" "/dev/vdb /mn ext4 defaults")
mkdir -p "$out/inmemory/tools/etc"
printf '%s\n' "${fstab_lines[@]}" >"$out/inmemory/tools/etc/fstab"
with inmemory
for fstab in "byname:LABEL=tmpfs /mnt ext4 defaults" "onrequest:/dev/vdb /mnt ext4 rw,noauto" "zram:/dev/zram0 /mnt ext4" \
    "remark:# /dev/vdb /mnt ext4"; do
    fstab_lines=("${fstab#*:}")
    mkdir -p "$out/${fstab%%:*}/tools/etc"
    echo -n "${fstab_lines[0]}" >"$out/${fstab%%:*}/tools/etc/fstab"
    with "${fstab%%:*}"
done
fstab_lines=()
mkdir -p /etc/default
echo 'MOUNTED="/x /mnt"' >/etc/default/vmsend
with named
rm /etc/default/vmsend
echo volatile >>/etc/vmsend.conf
with volatile
make -s BUILD="$build" PREFIX=/usr/local uninstall >"$out/uninstall"
find /etc/initramfs-tools /usr/lib/dracut/modules.d -xtype l >"$out/dangling"
EOF
run scripts/lab/sandbox "$T" bash "$T/hooks" "$T" "$(readlink -f "$BUILD")"
is "the hooks run" "$rc" 0
is "initramfs-tools: a hook without a configuration ends in an error" "$(tail -n 2 "$T/unconfigured.tools")" \
    "E: vmsend: there is no /etc/vmsend.conf; vmsend-kdump-setup makes one
rc 1"
is "dracut: a module without a configuration ends dracut" "$(<"$T/unconfigured.dracut")" \
    "F: vmsend: there is no /etc/vmsend.conf; vmsend-kdump-setup makes one
rc 1"
is "initramfs-tools: a server alone needs no more" "$(tail -n 1 "$T/simple.tools")" "rc 0"
is "dracut: a server alone needs no more" "$(<"$T/simple.dracut")" "an image is made of it
rc 0"
is "initramfs-tools: the program of an exec: is packed" "$(tail -n 1 "$T/program.tools") $(
    cd "$T/program/tools" && find . -name carrier -o -name carrier.key | sort | paste -sd ' ')" \
    "rc 0 ./etc/carrier.key ./usr/bin/carrier ./usr/local/bin/carrier"
like "initramfs-tools: and the user that it runs as" "$(cat "$T/program/tools/etc/passwd")" "^root:"
is "dracut: the program of an exec: is packed" "$(tail -n 1 "$T/program.dracut") $(
    cd "$T/program/into" && find . -name 'carrier*' | sort | paste -sd ' ')" "rc 0 ./carrier ./carrier.key"
is "initramfs-tools: a program that isn't there is an error" "$(tail -n 2 "$T/missing.tools")" \
    "E: vmsend: there is no carrier, which an exec: of /etc/vmsend.conf starts
rc 1"
is "dracut: a program that isn't there ends dracut" "$(<"$T/missing.dracut")" \
    "F: vmsend: there is no carrier, which an exec: of /etc/vmsend.conf starts
rc 1"
for case in unmounted inmemory onrequest zram remark; do
    lost="vmsend: nothing mounts a disk for file:/mnt/crash/, where a reboot would lose the dump: if another script of the \
initramfs does, name its mount point in MOUNTED of /etc/default/vmsend
rc 1"
    is "initramfs-tools: a file: for which no disk is mounted is an error ($case)" "$(tail -n 2 "$T/$case.tools")" "E: $lost"
    is "dracut: a file: for which no disk is mounted ends dracut ($case)" "$(<"$T/$case.dracut")" "F: $lost"
done
for case in mounted byname named volatile; do
    is "initramfs-tools: a file: is all right if it is $case" "$(tail -n 1 "$T/$case.tools")" "rc 0"
    is "dracut: a file: is all right if it is $case" "$(tail -n 1 "$T/$case.dracut")" "rc 0"
done
is "make uninstall: leaves no link that leads nowhere" "$(<"$T/dangling")" ""
is "make uninstall: names the links that it removes" "$(grep -c '^removed .*: the next initramfs has no vmsend$' "$T/uninstall")" 3
done_testing
