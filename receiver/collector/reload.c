/* Reads a collector's configuration again.
 * Doesn't know the file, nor what the collector does by it. */
#include "receiver/collector/reload.h"

#include <string.h>

#include "base/log.h"

static bool same_addresses(const struct listen_setup *a, const struct listen_setup *b)
{
	bool same = a->address_count == b->address_count;

	for (size_t i = 0; same && i < a->address_count; i++)
		same = strcmp(a->addresses[i], b->addresses[i]) == 0;
	return same;
}

static void say_later(const char *option)
{
	log_warning("%s has changed: that counts from the next start on", option);
}

/* The room for sessions, the sockets and the open store were made at the start. */
static void keep_what_stays(const struct listen_setup *now, struct listen_setup *fresh)
{
	if (!same_addresses(now, fresh))
		say_later("--listen");
	if (strcmp(now->dir, fresh->dir) != 0)
		say_later("--dir");
	if (now->max_sessions != fresh->max_sessions)
		say_later("--max-sessions");
	if (now->host_sessions != fresh->host_sessions)
		say_later("--host-sessions");
	if (now->max_waiting != fresh->max_waiting)
		say_later("--max-waiting");
	fresh->addresses = now->addresses;
	fresh->address_count = now->address_count;
	fresh->dir = now->dir;
	fresh->max_sessions = now->max_sessions;
	fresh->host_sessions = now->host_sessions;
	fresh->max_waiting = now->max_waiting;
}

static int read_all(const struct listen_setup *now, struct listen_setup *fresh_ret,
		    struct key_files *keys_ret, struct error *remark_ret, struct error *err)
{
	int r = now->reload.read(now->reload.ctx, fresh_ret, err);

	*keys_ret = keys_none();
	*remark_ret = (struct error){0};
	if (r < 0)
		return r;
	if (fresh_ret->tls.cert || fresh_ret->tls.psk)
		r = keys_read(&fresh_ret->tls, keys_ret, remark_ret, err);
	if (r == 0)
		keep_what_stays(now, fresh_ret);
	fresh_ret->reload = now->reload;
	now->reload.end(now->reload.ctx, r == 0);
	return r;
}

bool reload_read(const struct listen_setup *now, struct listen_setup *fresh_ret,
		 struct key_files *keys_ret)
{
	struct error remark, err;

	if (read_all(now, fresh_ret, keys_ret, &remark, &err) < 0) {
		log_warning("%s; the configuration read before stays in use", err.msg);
		return false;
	}
	if (remark.code)
		log_warning("%s", remark.msg);
	log_note("the configuration was read again");
	return true;
}
