#!/bin/sh
# Sourced by dracut's init while it reads the command line: in a crash kernel, the network if nobody says how, and no
# root file system if nothing is to be done there.
if [ -s /proc/vmcore ]; then
    IP='' ON_FAILURE=reboot
    # shellcheck source=SCRIPTDIR/../../vmsend.default
    [ ! -r /etc/default/vmsend ] || . /etc/default/vmsend
    mkdir -p /etc/cmdline.d
    {
        echo rd.neednet=1
        getarg ip= >/dev/null || echo "ip=${IP:-dhcp}"
        # Nobody is there for a shell, should dracut itself give up.
        [ "$ON_FAILURE" = shell ] || [ "$ON_FAILURE" = continue ] || echo "rd.shell=0 rd.emergency=reboot"
    } >/etc/cmdline.d/95vmsend.conf
    # shellcheck disable=SC2034 # root, rootok: dracut's
    [ "$ON_FAILURE" = continue ] || root=vmsend rootok=1
    unset IP ON_FAILURE
fi
