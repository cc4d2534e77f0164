/*
 * Files that are in memory, so that a reboot loses them: tmpfs, ramfs, what an initramfs is
 * unpacked into, an overlay with its upper layer on one of them, a file system on zram, on a RAM
 * disk, or on a loop device whose file is in memory.
 */
#ifndef INMEMORY_H
#define INMEMORY_H

#include "base/error.h"

/* What makes the directory that holds `path` one in memory, as "tmpfs"; NULL: nothing that can be
 * told. */
const char *in_memory(const char *path);

/* Refuse it: -EACCES, and a line that says what is lost, and what to do. */
NODISCARD int in_memory_check(const char *path, struct error *err);

#endif
