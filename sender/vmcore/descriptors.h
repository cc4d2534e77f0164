/*
 * One file, and a descriptor of it for each thread that reads at the same time.
 *
 * It is for files whose reader in the kernel keeps state for each open file and locks nothing:
 * /proc/kcore copies what is read through one page of the open file (Linux fs/proc/kcore.c), so two
 * threads that read by one descriptor get each other's pages.
 */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct descriptors;

/* The most descriptors of one file; where more threads read, they wait for each other. */
enum { DESCRIPTORS_MAX = 256 };

/*
 * `fd` is the open file, and `path` its name, by which it is opened again when needed. Borrows fd,
 * copies path. Fails -ENOMEM.
 */
NODISCARD int descriptors_new(const char *path, int fd, struct descriptors **d_ret,
			      struct error *err);
void descriptors_free(struct descriptors *d);
DEFINE_AUTO(struct descriptors, descriptors_free)

/*
 * As io_pread_full(), by a descriptor that no other thread uses meanwhile. Where the file can't be
 * opened once more, it waits until another thread has finished with a descriptor. Any thread.
 */
ssize_t descriptors_pread(struct descriptors *d, void *buf, size_t size_bytes, uint64_t off);

#endif
