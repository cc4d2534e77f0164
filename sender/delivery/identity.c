/* Which crash it is.
 * Doesn't know sessions. */
#include "sender/delivery/identity.h"

#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/fingerprint.h"
#include "sender/kernel/kernel.h"
#include "sender/kernel/kmodel.h"
#include "sender/output/codec_ladder.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* In place of a codec, where several are mixed; the set of those that may be follows. */
	MIXED_CODECS = 5,
};

_Static_assert((int)MIXED_CODECS == (int)CODEC_COUNT, "a codec more needs another number");

/* Other senders' ids, and those of other versions of ours, are others. */
static const char ID_TAG[] = "vmsend dump 2";

static void add_number(struct digester *d, uint64_t number)
{
	uint8_t bytes[8];

	le64_put(bytes, number);
	digester_add(d, bytes, sizeof(bytes));
}

static void add_codec(struct digester *d, const struct codec_ladder *ladder)
{
	add_number(d, ladder->codecs ? MIXED_CODECS : (uint64_t)ladder->rung[0].codec);
	add_number(d, ladder->codecs ? ladder->codecs : (uint64_t)ladder->rung[0].level);
}

static int add_notes(void *digester, uint64_t at UNUSED, const uint8_t *bytes, size_t n,
		     struct error *err UNUSED)
{
	digester_add(digester, bytes, n);
	return 0;
}

static int make_dump_id(const struct kmodel *km, const struct identity_options *o,
			uint8_t id_ret[static DIGEST_BYTES], struct error *err)
{
	AUTO(digester_free) struct digester *d = NULL;
	const struct vmcore *core = km->core;
	uint8_t piece[16 << 10];
	int r = digester_new(&d, err);

	if (r < 0)
		return r;
	digester_begin(d);
	digester_add(d, ID_TAG, sizeof(ID_TAG));
	add_number(d, o->level);
	add_codec(d, o->ladder);
	add_number(d, core->page_bytes);
	add_number(d, core->elf.load_count);
	for (size_t i = 0; i < core->elf.load_count; i++) {
		add_number(d, core->elf.loads[i].paddr);
		add_number(d, core->elf.loads[i].mem_bytes);
		add_number(d, core->elf.loads[i].file_bytes);
	}
	add_number(d, core->elf.notes.bytes);
	r = elf_notes_each(&core->elf.notes, piece, sizeof(piece), add_notes, d, err);
	/* Of a guest that idles all of the above stays the same. */
	if (r == 0)
		r = fingerprint_memory(km, d, err);
	return r == 0 ? digester_end(d, id_ret, err) : r;
}

int identity_hello(const struct kmodel *km, const struct identity_options *options,
		   const char *panic, struct hello *hello_ret, struct error *err)
{
	const struct vmcore *core = km->core;
	struct hello h = {
		.level = options->level,
		.live = core->live,
		.page_bytes = (uint32_t)core->page_bytes,
		.codec_level = codec_ladder_level(options->ladder),
	};
	struct kdump_utsname uts;
	uint64_t crash_time;
	const int r = make_dump_id(km, options, h.dump_id, err);

	if (r < 0)
		return r;
	/* What of it isn't known is empty. */
	(void)!kernel_utsname(core, &uts);
	snprintf(h.host, sizeof(h.host), "%.64s", uts.nodename);
	snprintf(h.osrelease, sizeof(h.osrelease), "%.64s", uts.release);
	snprintf(h.arch, sizeof(h.arch), "%.15s", uts.machine);
	snprintf(h.codec, sizeof(h.codec), "%s", codec_ladder_name(options->ladder));
	if (vmcoreinfo_decimal(core->info, "CRASHTIME", &crash_time))
		h.crash_time_s = (int64_t)crash_time;
	snprintf(h.panic, sizeof(h.panic), "%s", panic);
	*hello_ret = h;
	return 0;
}
