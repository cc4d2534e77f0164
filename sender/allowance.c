/* How much memory a run may take, and how much would do.
 * Doesn't know what takes it, but for its sum. */
#include "sender/allowance.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>

#include "base/log.h"
#include "base/parse.h"
#include "sender/machine/cgroup.h"
#include "sender/machine/meminfo.h"
#include "sender/options.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

/* What a session takes besides: its output, TLS or SSH, their libraries' tables. Measured
 * (tests/guest/transports.t; 5.7 MiB by SSH), and rounded up. */
enum { SESSION_MEMORY_BYTES = 6 << 20 };

enum {
	/* What a dump takes beside all that the budget counts, and rounded up. */
	UNCOUNTED_BYTES = 1 << 20,
	/* Of a vmcore that isn't open: for what codecs take. */
	PAGE_BYTES = 4096,
};

enum {
	/* A codec and a transport that sends, many times over. What is usual (8 MiB) is much where
	   the address space is limited. */
	STACK_BYTES = 512 << 10,
	/* The C library's own, until it sees such a piece given back. */
	LARGE_BYTES = 128 << 10,
};

static uint64_t session_bytes(const struct options *o)
{
	return o->to_count || o->oneway ? SESSION_MEMORY_BYTES : 0;
}

/* What the system has to give, or the memory cgroups that it has put us in; 0: not known. */
static uint64_t available_memory(bool *by_cgroup_ret)
{
	const uint64_t system = meminfo_available("/proc/meminfo");
	const uint64_t cgroup = cgroup_available("/proc/self/cgroup", "/sys/fs/cgroup");

	*by_cgroup_ret = cgroup != CGROUP_UNLIMITED && (!system || cgroup < system);
	return *by_cgroup_ret ? MAX(cgroup, UINT64_C(1)) : system;
}

struct budget allowance_budget(const struct options *o, const struct vmcore *core)
{
	bool by_cgroup;
	const struct budget_setup setup = {
		.core = core,
		.codec_bytes = codec_ladder_memory_bytes(&o->ladder, core->page_bytes),
		.threads = o->threads,
		.memory_bytes = o->memory_bytes,
		.available_bytes = available_memory(&by_cgroup),
		.session_bytes = session_bytes(o),
	};
	const struct budget b = budget_make(&setup);
	const uint64_t available = setup.available_bytes;
	const char *where = by_cgroup ? " in this memory cgroup" : "";
	char least[16], most[16], free[16];

	format_size(least, sizeof(least), b.least_bytes);
	format_size(most, sizeof(most), b.most_bytes);
	format_size(free, sizeof(free), available);
	if (o->memory_bytes && b.least_bytes > o->memory_bytes)
		log_warning("--memory: %s is the least that this dump takes", least);
	else if (!o->memory_bytes && available && b.least_bytes > available)
		log_warning("%s of memory are available%s, and this dump may take %s", free, where,
			    least);
	if (b.threads == o->threads)
		log_detail("%u workers, at most %s of memory", b.threads, most);
	else if (o->memory_bytes)
		log_note("%u of %u threads, at most %s of memory", MAX(b.threads, 1U), o->threads,
			 most);
	else
		log_note("%u of %u threads, at most %s of memory: %s are available%s; --memory "
			 "allows more",
			 MAX(b.threads, 1U), o->threads, most, free, where);
	return b;
}

uint64_t allowance_suggest(const struct options *o, const struct budget *budget,
			   uint64_t pages_bytes, struct error *err)
{
	if (err->code == -ENOMEM && budget->pages_bytes && pages_bytes > budget->pages_bytes) {
		error_prefix(err, "%s%" PRIu64 " MiB would do",
			     o->memory_bytes ? "--memory: " : "too little memory: ",
			     budget_mib_for(budget, pages_bytes));
		return 0;
	}
	return budget->dump_bytes + budget->setup.session_bytes + UNCOUNTED_BYTES +
	       (pages_bytes ? pages_bytes : pageset_memory_max(budget->setup.core->map.max_mapnr));
}

uint64_t allowance_unopened(const struct options *o)
{
	struct elf_extent extent;
	struct error unused;

	if (vmcore_measure(o->vmcore, &extent, &unused) < 0)
		return ALLOWANCE_EARLY_BYTES;
	return budget_bytes_unopened(&extent, codec_ladder_memory_bytes(&o->ladder, PAGE_BYTES)) +
	       session_bytes(o) + UNCOUNTED_BYTES;
}

void allowance_suggest_space(uint64_t more_bytes, struct error *err)
{
	const uint64_t taken = err->code == -ENOMEM ? meminfo_limited_space() : 0;

	if (taken && more_bytes)
		error_prefix(err, "address space (ulimit -v): %" PRIu64 " MiB would do",
			     ((taken + more_bytes) >> 20) + 1);
}

/* Each thread takes some of it, and not all is given back. All of this may fail. */
void allowance_save_space(void)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
		(void)pthread_setattr_default_np(&attr);
		pthread_attr_destroy(&attr);
	}
	/* One heap for all threads; and large pieces go back to the system, whatever lies above
	   them, for other large ones to be taken. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}
