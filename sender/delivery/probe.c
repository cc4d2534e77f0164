/* Destinations, tried step by step without a dump. Leaves nothing on a server or disk. */
#include "sender/delivery/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/inmemory.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
#include "sender/delivery/destination.h"
#include "sender/delivery/link.h"
#include "sender/delivery/local_file.h"
#include "sender/delivery/upload.h"

enum { PROBE_BYTES = 16 << 20, PROBE_MS = 2000 };

static void say_step(void *ctx, const char *step, const char *detail)
{
	const struct destination *to = ctx;

	log_note("%s: %s: ok%s%s", to->url.text, step, detail && *detail ? ", " : "",
		 detail ? detail : "");
}

/* Bytes that no link can compress, as pages that are compressed can't be. */
static void fill_noise(uint8_t *bytes, size_t size_bytes)
{
	uint32_t state = 1;

	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
}

/* How fast bytes go out, and are there: the end is acknowledged. */
static int probe_rate(const struct destination *to, struct link *link, struct error *err)
{
	AUTO_FREE uint8_t *noise = malloc(UPLOAD_DATA_BYTES);
	const uint64_t begin_ms = clock_ms();
	const struct totals totals = {0};
	uint64_t ms, sent = 0;
	char rate[16];
	int r;

	if (!noise)
		return error_set(err, -ENOMEM, "out of memory");
	fill_noise(noise, UPLOAD_DATA_BYTES);
	r = link_totals(link, &totals, err);
	if (r == 0)
		r = link_await(link, UPLOAD_ASKED, err);
	for (; r == 0 && sent < PROBE_BYTES && clock_ms() - begin_ms < PROBE_MS;
	     sent += UPLOAD_DATA_BYTES)
		r = link_data(link, noise, UPLOAD_DATA_BYTES, err);
	if (r == 0)
		r = link_end(link, &(struct end){.stream_bytes = sent}, err);
	if (r < 0)
		return r;
	ms = MAX(clock_ms() - begin_ms, UINT64_C(1));
	log_note("%s: rate: about %s/s", to->url.text,
		 format_size(rate, sizeof(rate), sent * 1000 / ms));
	return 0;
}

/* Where there is no room, no dump would be taken: -ENOSPC. */
static int check_space(const struct destination *to, const struct probe_need *need,
		       uint64_t free_bytes, struct error *err)
{
	char free_text[16], need_text[16], pages_text[16];

	format_size(free_text, sizeof(free_text), free_bytes);
	format_size(need_text, sizeof(need_text), need->bytes);
	format_size(pages_text, sizeof(pages_text), need->pages_bytes);
	if (free_bytes && free_bytes >= need->bytes) {
		log_note("%s: space: %s are free%s%s", to->url.text, free_text,
			 !need->bytes	  ? ""
			 : need->is_bound ? ", a dump takes at most "
					  : ", a dump takes about ",
			 need->bytes ? need_text : "");
		return 0;
	}
	if (!need->bytes)
		return error_set(err, -ENOSPC, "space: %s are free", free_text);
	return error_set(err, -ENOSPC,
			 "space: %s are free, and a dump may take %s%s (of %s of"
			 " pages)",
			 free_text, need->is_bound ? "up to " : "about ", need_text, pages_text);
}

static int probe_server(struct destination *to, const struct destination_setup *setup,
			const struct probe_need *need, struct error *err)
{
	AUTO(link_free) struct link *link = NULL;
	struct destination_setup telling = *setup;
	const struct welcome *w;
	struct error rate_err;
	int r, rate;

	telling.connect.passed = say_step;
	telling.connect.ctx = to;
	r = destination_connect(to, &telling, true, &link, err);
	if (r < 0)
		return r;
	w = upload_welcome(link_session(link));
	log_note("%s: protocol: ok, %s takes this host for \"%s\"", to->url.text,
		 *w->agent ? w->agent : "the receiver", w->host);
	if (w->free_bytes || w->full)
		r = check_space(to, need, w->free_bytes, err);
	rate = probe_rate(to, link, &rate_err);
	if (r == 0 && rate < 0)
		*err = rate_err;
	return r < 0 ? r : rate;
}

/* What an earlier dump has left is for a dump to replace, not for a probe: 1 if there is something,
 * which could be. */
static int probe_part(const char *path, struct error *err)
{
	AUTO_FREE char *part = NULL;

	if (asprintf(&part, "%s.part", path) < 0) {
		part = NULL; /* asprintf leaves it undefined */
		return error_set(err, -ENOMEM, "out of memory");
	}
	if (access(part, F_OK) < 0)
		return 0;
	return access(part, W_OK) < 0 ? error_sys(err, "%s", part) : 1;
}

/* Whether a file could be made there; none is left. */
static int probe_file(const struct destination *to, const struct destination_setup *setup,
		      const struct probe_need *need, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO_FREE char *path = local_file_path(&to->url, &setup->hello);
	uint64_t free_bytes;
	int r;

	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	r = setup->may_be_volatile ? 0 : in_memory_check(path, err);
	if (r == 0 && setup->force)
		r = probe_part(path, err);
	if (r == 0)
		r = dumpfile_create(path, dumpfile_replace_if(setup->force), &df, err);
	if (r < 0)
		return r;
	log_note("%s: %s can be written", to->url.text, path);
	free_bytes = io_free_bytes_beside(path);
	return free_bytes < INT64_MAX ? check_space(to, need, free_bytes, err) : 0;
}

int probe_destinations(const struct url *to, size_t to_count, const struct destination_setup *setup,
		       const struct probe_need *need)
{
	int first = 0;

	for (size_t i = 0; i < to_count; i++) {
		struct destination one = {.url = to[i]};
		struct error err;
		const int r = destination_is_server(&one) ? probe_server(&one, setup, need, &err)
							  : probe_file(&one, setup, need, &err);

		if (r < 0)
			log_error("%s: %s", one.url.text, err.msg);
		if (r < 0 && !first)
			first = r;
	}
	return first;
}
