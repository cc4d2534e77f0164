/* Writes the seeds of fuzz_vmcore into the folder argv[1]; tests/fuzz/make-seeds runs it.
 * Doesn't belong to any fuzz target. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/corefile.h"

enum { PRSTATUS = 1 };

static void save(const char *dir, const char *name, struct core_plan *plan, size_t cut)
{
	struct core core = core_make(plan);
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(core.bytes, core.size_bytes - cut, 1, f) != 1 || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	core_free(&core);
}

static struct core_plan with_notes(void)
{
	struct core_plan plan = {0};

	core_add_note(&plan, "CORE", PRSTATUS, "cpu", 3);
	core_add_vmcoreinfo(&plan, "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(init_uts_ns)="
				   "ffffffff81000000\nNUMBER(phys_base)=0\nCRASHTIME=1\n");
	return plan;
}

/* A load of a few hundred bytes, right behind the headers: seeds are small. */
static struct core_load *add(struct core_plan *plan, uint64_t paddr, uint64_t file_bytes,
			     uint64_t mem_bytes, uint64_t off)
{
	struct core_load *l = core_add_load(plan, paddr, file_bytes, mem_bytes);

	l->off = off;
	l->salt = (unsigned)plan->load_count;
	return l;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	struct core_plan plan = with_notes();

	add(&plan, 0x1000, 512, 512, 1024);
	save(dir, "one-load", &plan, 0);

	add(&plan, 0x1080, 300, 300, 1600);
	add(&plan, 0x8000, 0, 0x3000, 1);
	add(&plan, 0x1fff, 2, 0x10000, 2000)->vaddr = UINT64_C(0xffffffff81000000);
	save(dir, "overlaps", &plan, 0);
	save(dir, "cut", &plan, 900);

	plan.xnum = true;
	save(dir, "xnum", &plan, 0);

	plan = with_notes();
	plan.phoff = 192;
	plan.machine = 183;
	add(&plan, 0x40000000, 256, 0x4000, 1024);
	save(dir, "arm64-phoff", &plan, 0);

	plan = (struct core_plan){0};
	core_add_vmcoreinfo(&plan, "PAGESIZE=65536\n");
	add(&plan, 0, 700, 0x20000, 600);
	save(dir, "large-pages", &plan, 0);

	plan = (struct core_plan){0};
	add(&plan, (UINT64_C(1) << 50) - 4096, 64, 4096, 300);
	save(dir, "highest", &plan, 0);
	return 0;
}
