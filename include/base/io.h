/* Whole reads and writes of file descriptors: EINTR and short counts end here. */
#ifndef IO_H
#define IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

struct iovec;

/*
 * Read until `size_bytes` are there or the file ends. Returns the bytes read (fewer only at the end
 * of the file) or -errno; what was read before an error is lost to the caller.
 */
NODISCARD ssize_t io_read_full(int fd, void *buf, size_t size_bytes);

/* The same at a file offset. */
NODISCARD ssize_t io_pread_full(int fd, void *buf, size_t size_bytes, uint64_t off);

/*
 * The first piece of a file in [off, end) that isn't a hole: 1 and [*begin_ret, *end_ret), 0 where
 * there is none before `end` or the file's end, or -errno. A hole reads as zeros, and takes no time
 * to pass over however long it is. Where the file system doesn't tell, all is data. Moves the
 * descriptor's own offset, which io_pread_full() doesn't use.
 */
NODISCARD int io_next_data(int fd, uint64_t off, uint64_t end, uint64_t *begin_ret,
			   uint64_t *end_ret);

/*
 * Memory that bulk data is read into, or copied to: it begins with a page. The caller frees it with
 * free(). NULL when memory is out. malloc() gives large blocks that begin 16 bytes behind the
 * beginning of a page, while the bytes that are copied there mostly begin with a page (page cache,
 * pipes). Where destination and source are that near each other modulo 4096, and the destination is
 * the one behind, the instruction that copies (rep movsb) takes AMD's Zen 3 three to fifteen times
 * as long.
 */
NODISCARD void *io_buffer(size_t size_bytes);

/* Write all of it. Returns 0 or -errno. */
NODISCARD int io_write_full(int fd, const void *buf, size_t size_bytes);

/* The same at a file offset. */
NODISCARD int io_pwrite_full(int fd, const void *buf, size_t size_bytes, uint64_t off);

/* Write all of the `count` buffers in as few calls as it takes; uses up `iov`. Returns 0 or -errno.
 */
NODISCARD int io_writev_full(int fd, struct iovec *iov, int count);

/*
 * Open those standard streams that are closed, so that no file of ours becomes one of them; using
 * such a stream fails (EBADF), as if it were still closed. To be called before anything else.
 */
void io_fill_standard_streams(void);

/* Whether there is something of this name, be it a link that leads nowhere; the second: below the
 * directory `dir_fd`. */
bool io_exists(const char *path);
bool io_exists_at(int dir_fd, const char *path);

/* How much the file system of `path`, or of a descriptor, has room for; INT64_MAX where that can't
 * be told. */
uint64_t io_free_bytes(const char *path);
uint64_t io_free_bytes_of(int fd);

/* The same of the directory that holds `path`, which need not be there. */
uint64_t io_free_bytes_beside(const char *path);

#endif
