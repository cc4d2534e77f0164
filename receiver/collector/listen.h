/* `vmrecv --listen`: takes connections, and serves each in a process of its own. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "format/sums.h"
#include "receiver/collector/networks.h"
#include "receiver/retention/space.h"
#include "wire/transport.h"

enum { LISTEN_MAX = 16 };

struct listen_setup;

/*
 * How the configuration is read again. read() gives a setup, without a reload of its own; its
 * strings and networks may be used after end(ctx, true) until the next one, and those of the setup
 * before may not. end(ctx, false) drops it. A read() that fails isn't ended.
 */
struct listen_reload {
	int (*read)(void *ctx, struct listen_setup *fresh_ret, struct error *err);
	void (*end)(void *ctx, bool taken);
	void *ctx;
};

struct listen_setup {
	const char *const *addresses; /* ADDR:PORT, to listen on; LISTEN_MAX at the most */
	size_t address_count;
	struct tls_files tls;		  /* without certificate and keys: plain TCP, … */
	const struct network *plain_from; /* … from these networks */
	size_t plain_from_count;
	unsigned max_sessions;	 /* at once */
	unsigned host_sessions;	 /* of a host, while others wait */
	unsigned max_waiting;	 /* for a place, connected; others come again */
	const char *dir;	 /* where dumps go */
	uint64_t max_size_bytes; /* of a dump; 0: as in struct store_setup */
	uint32_t timeout_ms;	 /* silence that breaks a link */
	enum log_level shown;
	enum sums_kind sums;	    /* beside a dump that came as a stream */
	struct space_limits limits; /* of space, and which dumps go */
	struct listen_reload reload;
};

/* Serve until a signal comes; SIGHUP makes it read its configuration again. Returns the exit
 * status. */
enum exit_status listen_for_senders(const struct listen_setup *setup);

#endif
