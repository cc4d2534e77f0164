/*
 * A session's dump on its way to disk. The store does the operations of a session (struct
 * session_ops), and keeps the state that a later session needs to go on. The home decides where the
 * dump is (home.h): DIR/HOST/TIME/ of a collector, or the one FILE of a pipe.
 *
 *   DIR/HOST/TIME/vmcore           complete and verified; before that vmcore.part
 *   DIR/HOST/TIME/vmcore.segments  the journal
 *   DIR/HOST/TIME/vmcore-NAME      attachments: NAME is dmesg.txt
 *   DIR/HOST/TIME/meta.json        what it is, for people and programs
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hostname.h"
#include "base/keepalive.h"
#include "receiver/session/session.h"
#include "receiver/store/reserve.h"

struct store;

struct store_setup {
	const char *dir;  /* NULL: a file */
	const char *file; /* NULL: a directory */
	const char *host; /* the host that the sender has proved to be, taken as it is or not at all
			     (host_name_is_good()); NULL: it is taken at its word */
	const char *proof;	 /* how: "certificate", "address", …; for meta.json */
	const char *peer;	 /* where from; for meta.json */
	bool force;		 /* replace FILE */
	uint64_t max_size_bytes; /* 0: what the dump's header makes plausible, and the free space */
	struct keepalive alive;	 /* called while something takes long */
	reserve_fn *reserve;	 /* grants space in a directory; NULL: there is no limit */
	void *reserve_ctx;
};

/* The operations for a session, whose context is a struct store. */
extern const struct session_ops store_ops;

/* Fails -ENOMEM. Nothing is opened or made before HELLO. */
NODISCARD int store_new(const struct store_setup *setup, struct store **s_ret, struct error *err);

/* A dump that isn't whole is mended first: see store_close(). */
void store_free(struct store *s);
DEFINE_AUTO(struct store, store_free)

/* How it went, and how far. */
struct store_result {
	bool begun;	  /* a dump was offered */
	bool complete;	  /* the dump is here, durably */
	bool was_there;	  /* it was here before this session */
	bool usable;	  /* a part is here that readers open */
	bool name_unsure; /* it is complete, on a file system that can't sync a directory */
	bool resumed;
	uint64_t pages, pages_missing, pages_lost;
	uint64_t stream_bytes, file_bytes;
	char path[4096]; /* of the dump, or its part */
	char host[HOST_NAME_ROOM];
};

/*
 * The session has ended, because of `why` (NULL: the dump is complete). A part is made as good as
 * it can be, so that it opens, and is kept for the sender to come back.
 */
void store_close(struct store *s, const struct error *why, struct store_result *result_ret);

/* Whether a newer session of the host waits for this dump. */
bool store_is_wanted(const struct store *s);

/* For progress and logs. */
uint64_t store_stream_bytes(const struct store *s);

/* Check that a name which was proved can be the name of a directory: fails -EACCES if not. Such a
 * name is never changed, for no two hosts may share a directory. */
NODISCARD int store_check_host(const char *host, struct error *err);

#endif
