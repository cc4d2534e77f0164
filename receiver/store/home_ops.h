/* The operations of a home, and the members that all homes have that keep a dump in files. */
#ifndef HOME_OPS_H
#define HOME_OPS_H

#include "receiver/store/home.h"

/* As the functions of that name in home.h. */
struct home_ops {
	int (*check)(struct home *h, const char *host, struct error *err);
	int (*find)(struct home *h, const char *host, const uint8_t *dump_id, struct error *err);
	int (*settle)(struct home *h, struct error *err);
	uint64_t (*free_bytes)(const struct home *h);
	int (*create)(struct home *h, struct dumpfile **df_ret, struct error *err);
	int (*publish)(struct home *h, struct error *err);
	int (*attach)(struct home *h, const struct attach *a, bool has_pages,
		      struct dumpfile **df_ret, struct error *err);
	bool (*clear)(struct home *h, bool untouched);
	void (*free)(struct home *h); /* and the memory of `h` */
};

/* The first member of each. */
struct home {
	const struct home_ops *ops;
	struct home_setup setup;
	int dir_fd;	   /* which the names are below; AT_FDCWD, or the ops' own */
	const char *where; /* what the operator reads before a name: "DIR/HOST/TIME/" */
	const char *dump;  /* names; these three and `where` are the ops' own */
	const char *journal, *meta;
};

/* Each is for home_new(). Fails -ENOMEM. */
NODISCARD int home_dir_new(const struct home_setup *setup, struct home **h_ret, struct error *err);
NODISCARD int home_file_new(const struct home_setup *setup, struct home **h_ret, struct error *err);

/* NAME of vmcore-NAME, whether an attachment is sent with that prefix or without. */
const char *home_bare_name(const char *name);

#endif
