#!/bin/bash
# scripts/kdump/vmsend-crash, in each shell that an initramfs may have: how often it tries, and that whatever
# happens the machine is left the way /etc/default/vmsend says. The root is a private one, whose vmsend, reboot
# and /proc/sysrq-trigger only write down that they were asked, and end it all; its minute is 0.6 s.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
need busybox unshare

# Into the private root: as somebody who seems to be root, or as who is.
if unshare -r true 2>/dev/null; then
    enter=(unshare -r chroot)
elif [[ $EUID == 0 ]]; then
    enter=(chroot)
else
    skip "vmsend-crash" "there are no user namespaces here, and only root may change the root without"
    done_testing
fi

root=$T/root
mkdir -p "$root"/{bin,sbin,etc/default,proc,dev}
: >"$root/dev/null"
cp "$(type -P busybox)" "$root/bin/busybox"
for applet in cat sed sync head tail rm mv; do ln -s busybox "$root/bin/$applet"; done
cp scripts/kdump/vmsend-crash "$root/sbin/vmsend-crash"
program() { # NAME: from standard input, in the root
    cat >"$root/$1"
    chmod +x "$root/$1"
}
program sbin/vmsend <<'EOF'
#!/bin/busybox sh
echo "vmsend $*" >>/log
status=$(head -n 1 /statuses)
tail -n +2 /statuses >/rest
mv /rest /statuses
[ "$status" != KILL ] || kill -KILL $$
exit "$status"
EOF
program bin/sleep <<'EOF'
#!/bin/busybox sh
/bin/busybox usleep "${1}0000"
# The kernel was asked to end it all.
[ ! -s /proc/sysrq-trigger ] || kill -KILL 0
EOF
for how in reboot poweroff halt; do
    program bin/$how <<'EOF'
#!/bin/busybox sh
echo "${0##*/} $*" >>/log
[ ! -e /refuse ] || exit 1
[ ! -e /hang ] || exec /bin/busybox usleep 1500000
kill -KILL 0
EOF
done
echo "to = tcp://server:1" >"$root/etc/vmsend.conf"

# crash STATUS...: vmsend-crash by $shell, with what vmsend ends with; the log in one line.
crash() {
    printf '%s\n' "$@" >"$root/statuses"
    : >"$root/log"
    : >"$root/proc/sysrq-trigger"
    { PATH=/sbin:/bin timeout 60 "${enter[@]}" "$root" "${shell[@]}" /sbin/vmsend-crash <"$stdin" >"$T/out" 2>&1; } 2>"$T/err"
    rc=$?
    did=$(sed 's,vmsend --config /etc/vmsend.conf,vmsend,' "$root/log" | tr '\n' ';')$(<"$root/proc/sysrq-trigger")
}
setting() { printf '%s\n' "$@" >"$root/etc/default/vmsend"; }

scenarios() {
    setting
    crash 0
    is "$1: sends, and reboots" "$did" "vmsend;reboot -f;"
    crash 3 KILL 0
    is "$1: tries again; after a kill with less" "$did" "vmsend;vmsend;vmsend --num-threads 0;reboot -f;"
    crash 3 3 3 3
    is "$1: a bounded number of times" "$did" "vmsend;vmsend;vmsend;reboot -f;"
    like "$1: says why" "$(<"$T/out")" "vmsend ended with status 3; try 2 of 3.*vmsend failed with status 3: reboot"
    crash 5
    is "$1: once, where it was refused" "$did" "vmsend;reboot -f;"
    crash 4
    is "$1: once, where a part is there" "$did" "vmsend;reboot -f;"
    setting ON_SUCCESS=poweroff ON_FAILURE=halt TRIES=1
    crash 0
    is "$1: ON_SUCCESS" "$did" "vmsend;poweroff -f;"
    crash 1
    is "$1: ON_FAILURE, TRIES" "$did" "vmsend;halt -f;"
    setting ON_FAILURE=continue TRIES=2
    crash 1 3
    is "$1: ON_FAILURE=continue comes back" "$rc $did" "1 vmsend;vmsend;"
    setting ON_SUCCESS=nonsense
    crash 0
    is "$1: reboots where ON_SUCCESS is nonsense" "$did" "vmsend;reboot -f;"
    setting ON_FAILURE=nonsense TRIES=1
    crash 1
    is "$1: reboots where the setting is nonsense" "$did" "vmsend;reboot -f;"
    setting ON_FAILURE=shell TRIES=1
    crash 1
    is "$1: a shell is only for who asks" "$did" "vmsend;reboot -f;"
    stdin=$T/keys
    printf "%s\n" "" "/bin/sleep 99" "echo shell >>/log" >"$stdin"
    crash 1
    stdin=/dev/null
    is "$1: who presses Enter has one, and it ends in a reboot" "$did" "vmsend;shell;reboot -f;"
    : >"$root/refuse"
    setting
    crash 0
    is "$1: a reboot that fails is the kernel's" "$did" "vmsend;reboot -f;reboot ;b"
    setting ON_SUCCESS=poweroff
    crash 0
    is "$1: and so is a poweroff" "$did" "vmsend;poweroff -f;poweroff ;o"
    mv "$root/refuse" "$root/hang"
    crash 0
    is "$1: and one that hangs" "$did" "vmsend;poweroff -f;o"
    rm "$root/hang"
}

stdin=/dev/null
shell=(/bin/busybox sh)
ln -sf busybox "$root/bin/sh"
scenarios busybox
for other in dash:/bin/dash klibc:/usr/lib/klibc/bin/sh; do
    path=${other#*:}
    if [[ ! -x $path ]]; then
        skip "${other%:*}" "it isn't installed"
        continue
    fi
    rm -f "$root/bin/sh"
    cp "$path" "$root/bin/sh"
    # Its loader and libraries, at their places.
    for lib in $(ldd "$path" 2>/dev/null | sed -n 's,^[^/]*\(/[^ ]*\).*,\1,p') /lib/klibc-*.so; do
        [[ ! -e $lib ]] || install -D "$lib" "$root$lib"
    done
    shell=(/bin/sh)
    scenarios "${other%:*}"
done

# What an initramfs needs for it.
cat >"$root/etc/vmsend.conf" <<'EOF'
# keys: identity = /no
to = ssh://crash@server
identity=/etc/vmsend/key
  known-hosts = /etc/vmsend/known hosts   # the server's
tls-ca = /etc/vmsend/ca
tls-cert = /etc/vmsend/cert
tls-crl = /etc/vmsend/crl
tls-key = /etc/vmsend/key2
tls-psk = /etc/vmsend/psk
dump-level = 31 # all of it
to = exec:A=1 exec nc -i /etc/vmsend.conf -o F=/etc/vmsend.conf -p /etc hub # by it
to = exec:ssh hub /no/such/vmrecv --stdio
EOF
run "${enter[@]}" "$root" /bin/busybox sh /sbin/vmsend-crash --files
is "--files: what the configuration names, and it" "$rc $(<"$T/out")" "0 /etc/vmsend.conf
/etc/default/vmsend
/etc/vmsend.conf
/etc/vmsend.conf
/etc/vmsend/key
/etc/vmsend/known hosts
/etc/vmsend/ca
/etc/vmsend/cert
/etc/vmsend/crl
/etc/vmsend/key2
/etc/vmsend/psk"
run "${enter[@]}" "$root" /bin/busybox sh /sbin/vmsend-crash --programs
is "--programs: what each exec: starts" "$rc $(<"$T/out")" "0 nc
ssh"
done_testing
