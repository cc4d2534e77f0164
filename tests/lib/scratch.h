/* A directory for the files of one test, and files as a whole. Failures end the test. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The path of `name` in the program's scratch directory, which goes when the program ends. Valid
 * for ever, for some thirty names.
 */
const char *scratch_path(const char *name);

/* Remove all files in it. */
void scratch_clear(void);

bool file_exists(const char *path);
void file_write(const char *path, const void *bytes, size_t size_bytes);

/* The bytes, which the caller frees, and how many they are. */
uint8_t *file_read(const char *path, size_t *size_ret);

/*
 * What `body` returns in a child whose files can't grow past `limit_bytes`: writing fails -EFBIG
 * there. 0 to 255; -1 if it crashed.
 */
int run_with_file_limit(uint64_t limit_bytes, int (*body)(const void *ctx), const void *ctx);

/* Bytes that it takes on disk. */
uint64_t file_disk_bytes(const char *path);

#endif
