/* A collector's options, and reading them again.
 * Doesn't know what a collector does by them. */
#include "receiver/collect.h"

#include <errno.h>

#include "base/log.h"
#include "receiver/collector/keys.h"
#include "receiver/collector/listen.h"

/* The options of the start stay: addresses and directory are in use to the end. */
struct again {
	int argc;
	char **argv;
	struct options now, next; /* `now` is empty before the first reload */
};

static struct listen_setup setup_of(const struct options *o)
{
	return (struct listen_setup){
		.addresses = o->listen,
		.address_count = o->listen_count,
		.tls = o->tls,
		.plain_from = o->plain_from,
		.plain_from_count = o->plain_from_count,
		.max_sessions = o->max_sessions,
		.host_sessions = o->host_sessions,
		.max_waiting = o->max_waiting,
		.dir = o->dir,
		.max_size_bytes = o->max_size_bytes,
		.timeout_ms = o->timeout_ms,
		.shown = o->shown,
		.sums = o->sums,
		.limits = o->limits,
	};
}

/* The setup borrows from `next`, and from `now` after end_reading(). So the networks, which lie in
 * the struct itself, are pointed to where they will be. */
static int read_again(void *ctx, struct listen_setup *fresh_ret, struct error *err)
{
	struct again *a = ctx;
	int r = options_parse(a->argc, a->argv, &a->next, err);

	if (r < 0)
		return r;
	if (a->next.mode != MODE_LISTEN) {
		options_deinit(&a->next);
		return error_set(err, -EINVAL, "no --listen is left");
	}
	*fresh_ret = setup_of(&a->next);
	fresh_ret->plain_from = a->now.plain_from;
	return 0;
}

static void end_reading(void *ctx, bool taken)
{
	struct again *a = ctx;

	if (taken) {
		options_deinit(&a->now);
		a->now = a->next;
		log_init("vmrecv", a->now.shown);
	} else {
		options_deinit(&a->next);
	}
	a->next = (struct options){0};
}

enum exit_status collect(const struct options *o, int argc, char **argv)
{
	struct again again = {.argc = argc, .argv = argv};
	struct listen_setup setup = setup_of(o);
	enum exit_status status;

	setup.reload = (struct listen_reload){read_again, end_reading, &again};
	status = listen_for_senders(&setup);
	options_deinit(&again.now);
	return status;
}

enum exit_status collect_check(const struct options *o)
{
	struct key_files keys = keys_none();
	struct error remark = {0}, err;
	int r = 0;

	if (o->tls.cert || o->tls.psk)
		r = keys_read(&o->tls, &keys, &remark, &err);
	keys_close(&keys);
	if (r < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	if (remark.code)
		log_warning("%s", remark.msg);
	log_note("%s: no mistake was found%s", o->config ? o->config : CONFIG_PATH,
		 o->mode == MODE_LISTEN ? "" : "; it has no \"listen\", so it isn't a collector's");
	return EXIT_COMPLETE;
}
