/*
 * Files that are in memory, so that a reboot loses them. Such file systems are tmpfs, ramfs, the
 * root file system that an initramfs is unpacked into, an overlay with its upper layer on one of
 * them, and any file system on zram, on a RAM disk, or on a loop device whose file is in memory.
 */
#ifndef INMEMORY_H
#define INMEMORY_H

#include "base/error.h"

/* Refuse a `path` in memory: fails -EACCES, with a line that says what would be lost, and what to
 * do. */
NODISCARD int in_memory_check(const char *path, struct error *err);

#endif
