/* sender/machine/cgroup.h: made-up hierarchies of memory cgroups. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "sender/machine/cgroup.h"
#include "tests/lib/scratch.h"

#define MIB (UINT64_C(1) << 20)

/* A file of the tree, and what is in it. */
struct file {
	const char *path, *text;
};

struct row {
	const char *name, *self; /* /proc/self/cgroup; NULL: there is none */
	struct file files[10];
	uint64_t want;
};

#define V1_NONE "9223372036854771712\n"
#define PAGES	"anon 1048576\nfile 5242880\ninactive_file 3145728\nactive_file 1048576\n"

/* clang-format off */
static const struct row rows[] = {
	{"cgroup_available: has no limit where there are no cgroups", NULL, {{0}}, CGROUP_UNLIMITED},
	{"cgroup_available: has no limit where none is mounted", "0::/a\n", {{0}}, CGROUP_UNLIMITED},
	{"cgroup_available: has no limit by max", "0::/a\n",
	 {{"a/memory.max", "max\n"}, {"a/memory.high", "max\n"}, {"a/memory.current", "1048576\n"}}, CGROUP_UNLIMITED},
	{"cgroup_available: is the limit less what is used", "0::/a\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.current", "2097152\n"}}, 38 * MIB},
	{"cgroup_available: doesn't count page cache as used", "0::/a\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.current", "7340032\n"}, {"a/memory.stat", PAGES}}, 37 * MIB},
	{"cgroup_available: takes cache for no more than is used", "0::/a\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.current", "1048576\n"}, {"a/memory.stat", PAGES}}, 40 * MIB},
	{"cgroup_available: is 0 where all is used", "0::/a\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.current", "41943041\n"}}, 0},
	{"cgroup_available: takes memory.high where that is less", "0::/a\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.high", "20971520\n"}, {"a/memory.current", "0\n"}}, 20 * MIB},
	{"cgroup_available: takes an ancestor's limit", "0::/a/b/c\n",
	 {{"a/memory.max", "41943040\n"}, {"a/memory.current", "31457280\n"},
	  {"a/b/memory.max", "max\n"}, {"a/b/c/memory.max", "20971520\n"}, {"a/b/c/memory.current", "1048576\n"}}, 10 * MIB},
	{"cgroup_available: takes its own limit, if that leaves less", "0::/a/b\n",
	 {{"a/memory.max", "419430400\n"}, {"a/b/memory.max", "20971520\n"}}, 20 * MIB},
	{"cgroup_available: takes a container's, which is its root", "0::/docker/0123\n",
	 {{"memory.max", "20971520\n"}, {"memory.current", "1048576\n"}}, 19 * MIB},
	{"cgroup_available: goes no way up out of the mount", "0::/../../other\n",
	 {{"memory.max", "20971520\n"}, {"../other/memory.max", "1048576\n"}}, 20 * MIB},
	{"cgroup_available: has no limit for text that is no number", "0::/a\n",
	 {{"a/memory.max", "many\n"}, {"a/memory.high", "-5\n"}}, CGROUP_UNLIMITED},
	{"cgroup_available: passes over lines that aren't of its kind", "nonsense\n7:cpu:/a\n\n:\n0::/a",
	 {{"a/memory.max", "1048576\n"}}, 1 * MIB},
	{"cgroup_available: knows version 1", "9:name=systemd:/\n4:cpu,memory:/a\n0::/\n",
	 {{"memory/a/memory.limit_in_bytes", "41943040\n"}, {"memory/a/memory.usage_in_bytes", "7340032\n"},
	  {"memory/a/memory.stat", "total_inactive_file 1048576\ntotal_active_file 2097152\n"}}, 36 * MIB},
	{"cgroup_available: has no limit by version 1's largest number", "4:memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", V1_NONE}, {"memory/a/memory.usage_in_bytes", "7340032\n"}}, CGROUP_UNLIMITED},
	{"cgroup_available: takes a limit of version 1 that lies out of sight", "4:memory:/docker/0123\n",
	 {{"memory/memory.limit_in_bytes", V1_NONE}, {"memory/memory.usage_in_bytes", "1048576\n"},
	  {"memory/memory.stat", "hierarchical_memory_limit 41943040\n"}}, 39 * MIB},
	{"cgroup_available: takes no other controller for memory's", "4:memory2,xmemory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "41943040\n"}}, CGROUP_UNLIMITED},
	{"cgroup_available: finds version 2 beside version 1", "4:cpu:/a\n0::/a\n",
	 {{"unified/a/memory.max", "41943040\n"}}, 40 * MIB},
};
/* clang-format on */

/* Make the folders of a path below the scratch directory's `cgroup`. */
static void put(const struct file *file)
{
	char path[300];
	const int n = snprintf(path, sizeof(path), "%s/%s", scratch_path("cgroup"), file->path);

	assert_in_range(n, 1, sizeof(path) - 1);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file_write(path, file->text, strlen(file->text));
}

static void remove_tree(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", scratch_path("cgroup"),
		 scratch_path("other"));
	assert_int_equal(system(command), 0);
	scratch_clear();
}

static void test_row(void **state)
{
	const struct row *row = *state;
	const char *self = scratch_path("self");

	if (row->self)
		file_write(self, row->self, strlen(row->self));
	for (size_t i = 0; i < ARRAY_LEN(row->files) && row->files[i].path; i++)
		put(&row->files[i]);
	assert_true(cgroup_available(self, scratch_path("cgroup")) == row->want);
	remove_tree();
}

/* Names that are longer than any, and a hierarchy as deep as names let it be. */
static void test_long(void **state UNUSED)
{
	const char *self = scratch_path("self");
	char line[9000] = "0::";

	put(&(struct file){"memory.max", "1048576\n"});
	for (size_t i = 3; i + 3 < sizeof(line); i += 2)
		memcpy(line + i, "/a", 3);
	file_write(self, line, strlen(line));
	(void)cgroup_available(self, scratch_path("cgroup")); /* safe is all that it has to be */
	line[3 + 2000] = '\0';
	file_write(self, line, strlen(line));
	assert_int_equal(cgroup_available(self, scratch_path("cgroup")), MIB);
	remove_tree();
}

static void test_this_system(void **state UNUSED)
{
	assert_true(cgroup_available("/proc/self/cgroup", "/sys/fs/cgroup") > MIB);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "cgroup_available: bears names of any length", test_long, NULL);
	unit_add(&u, "cgroup_available: leaves something on this system", test_this_system, NULL);
	return unit_run(&u, "cgroup", argc, argv);
}
