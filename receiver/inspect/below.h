/* The dumps that a FILE or a DIR on the command line stands for. */
#ifndef BELOW_H
#define BELOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
	/* The greatest depth of folders that are searched. A collector's DIR has a depth of two. */
	BELOW_DEPTH_MAX = 16,
};

struct below_item {
	char *path;
	struct error *trouble; /* why it can't be read; NULL: it can */
	bool named;	       /* on the command line, not found below it */
};

/* Sorted by path, folder by folder. */
struct below {
	struct below_item *items;
	size_t count, room;
};

/*
 * A path that isn't a directory stands for itself, whatever it is. A directory stands for each dump
 * below it: each regular file that begins as a dump or a flattened dump does, that is named
 * "vmcore" or NAME.part, or that has its NAME.segments beside it. Symbolic links below it aren't
 * followed. A folder that can't be read, or lies too deep, is an item with a trouble, and so is the
 * directory itself if no dump lies below it.
 *
 * Fails -ENOMEM. The caller deinits.
 */
NODISCARD int below_find(const char *path, struct below *b_ret, struct error *err);
void below_deinit(struct below *b);

/*
 * To be called before an item is opened: whether it is still there. Where a collector has given
 * NAME.part its final name meanwhile, `path` becomes NAME. An item of the command line always
 * counts as there, so that its absence becomes an error.
 */
bool below_is_there(struct below_item *item);

#endif
