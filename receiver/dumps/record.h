/* A dump's meta.json, for those who look at it. Its texts are others': to be escaped. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "receiver/retention/rules.h"

struct json_t;

struct record {
	struct json_t *meta; /* NULL: there is none, or none that can be read */
};

/* Read it from the dump's directory. The caller deinits. A build without jansson has none. */
struct record record_read(int dump_fd);
void record_deinit(struct record *r);

/* A member that is a text; NULL: it isn't there. Borrowed from the record. */
const char *record_text(const struct record *r, const char *key);

/* Whatever the member is, as a text; false: it isn't there, or is null. */
bool record_value(const struct record *r, const char *key, char *out, size_t out_bytes);

/* The dumps that --json shows, an array on standard output. */
struct record_list {
	struct json_t *array;
};

struct record_list record_list_new(void);
void record_list_add(struct record_list *l, const char *dir, const struct stored *d,
		     const char *status, const struct record *r);
/* Print and free it. False: standard output can't be written, or memory was short. */
bool record_list_print(struct record_list *l);

#endif
