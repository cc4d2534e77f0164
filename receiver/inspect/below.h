/* The dumps that a FILE or a DIR on the command line stands for. */
#ifndef BELOW_H
#define BELOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
	/* Folders below each other that are looked into. A collector's DIR has two. */
	BELOW_DEPTH_MAX = 16,
};

struct below_item {
	char *path;
	struct error *trouble; /* why it can't be looked at; NULL: it can */
	bool named;	       /* on the command line, not found below it */
};

/* Sorted by path, folder by folder. */
struct below {
	struct below_item *items;
	size_t count, room;
};

/*
 * What isn't a directory stands for itself, whatever it is. A directory stands for each dump that
 * lies below it: a regular file that begins as a dump or a flattened one does, that is called
 * "vmcore" or NAME.part, or that has its NAME.segments beside it. Symbolic links below it aren't
 * followed. What can't be looked into, or too deep, is an item with a trouble, and so is the
 * directory itself if no dump lies below it.
 *
 * Fails -ENOMEM. The caller deinits.
 */
NODISCARD int below_find(const char *path, struct below *b_ret, struct error *err);
void below_deinit(struct below *b);

/*
 * Before it is opened: whether it is there still. Where a collector has given NAME.part its final
 * name meanwhile, `path` becomes NAME. What was named on the command line always counts as there:
 * that it isn't is an error.
 */
bool below_is_there(struct below_item *item);

#endif
