#!/bin/sh
# Sourced by dracut's init: once, if this is a crash kernel, send the dump. Comes back if that failed and the
# boot is to go on.
if [ -s /proc/vmcore ] && [ ! -e /run/vmsend-was-here ]; then
    : >/run/vmsend-was-here
    vmsend-crash </dev/console >/dev/console 2>&1
fi
