/* Turns that are kept, and dumps of the last hour.
 * Doesn't know connections. */
#include "receiver/collector/turns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int turns_init(struct turns *t, size_t room, struct error *err)
{
	*t = (struct turns){.hosts = calloc(room, sizeof(*t->hosts)), .room = room};
	return t->hosts ? 0 : error_set(err, -ENOMEM, "out of memory for turns");
}

void turns_deinit(struct turns *t)
{
	free(t->hosts);
	*t = (struct turns){0};
}

static struct turn_of_host *find(const struct turns *t, const char *host)
{
	for (size_t i = 0; i < t->room; i++)
		if (strcmp(t->hosts[i].host, host) == 0)
			return &t->hosts[i];
	return NULL;
}

/* The host's entry, made if need be in place of the one that was seen longest ago; one without a
 * turn first. */
static struct turn_of_host *take(struct turns *t, const char *host, uint64_t now_ms)
{
	struct turn_of_host *h = find(t, host);

	for (size_t i = 0; !h && i < t->room; i++)
		if (!*t->hosts[i].host)
			h = &t->hosts[i];
	if (!h) {
		h = &t->hosts[0];
		for (size_t i = 1; i < t->room; i++) {
			struct turn_of_host *o = &t->hosts[i];
			const bool kept = o->until_ms > now_ms, other = h->until_ms > now_ms;

			if (kept != other ? other : o->seen_ms < h->seen_ms)
				h = o;
		}
	}
	if (strcmp(h->host, host) != 0) {
		*h = (struct turn_of_host){0};
		snprintf(h->host, sizeof(h->host), "%s", host);
	}
	h->seen_ms = now_ms;
	return h;
}

void turns_begun(struct turns *t, const char *host, const uint8_t *dump_id, uint64_t now_ms)
{
	struct turn_of_host *h = take(t, host, now_ms);

	h->until_ms = 0;
	if (dump_id && h->begun && memcmp(h->dump_id, dump_id, DIGEST_BYTES) == 0)
		return;
	memmove(h->begun_ms + 1, h->begun_ms, (TURNS_DUMPS_MAX - 1) * sizeof(h->begun_ms[0]));
	h->begun_ms[0] = now_ms;
	h->begun = MIN(h->begun + 1, (unsigned)TURNS_DUMPS_MAX);
	memset(h->dump_id, 0, DIGEST_BYTES);
	if (dump_id)
		memcpy(h->dump_id, dump_id, DIGEST_BYTES);
}

unsigned turns_recent(const struct turns *t, const char *host, uint64_t now_ms)
{
	const struct turn_of_host *h = find(t, host);
	unsigned count = 0;

	while (h && count < h->begun && now_ms - h->begun_ms[count] < TURNS_HOUR_MS)
		count++;
	return count;
}

void turns_keep(struct turns *t, const char *host, uint64_t order, uint64_t until_ms,
		uint64_t now_ms)
{
	struct turn_of_host *h = take(t, host, now_ms);

	h->order = h->until_ms > now_ms ? MIN(h->order, order) : order;
	h->until_ms = until_ms;
}

bool turns_kept(const struct turns *t, const char *host, uint64_t now_ms, uint64_t *order_ret)
{
	const struct turn_of_host *h = find(t, host);

	if (!h || h->until_ms <= now_ms)
		return false;
	*order_ret = h->order;
	return true;
}

void turns_used(struct turns *t, const char *host)
{
	struct turn_of_host *h = find(t, host);

	if (h)
		h->until_ms = 0;
}

unsigned turns_before(const struct turns *t, uint64_t order, uint64_t now_ms)
{
	unsigned count = 0;

	for (size_t i = 0; i < t->room; i++)
		count += *t->hosts[i].host && t->hosts[i].until_ms > now_ms &&
			 t->hosts[i].order < order;
	return count;
}
