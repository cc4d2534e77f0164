/* vmdumps: arguments to exit status.
 * Doesn't do any of the work. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cli.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "receiver/dumps/verbs.h"
#include "receiver/options.h"

enum { DAY_S = 86400, DAYS_MAX = 36500 };

enum told { TOLD_NOTHING, TOLD_HELP, TOLD_VERSION };

struct line {
	struct request request;
	const char *config; /* NULL: CONFIG_PATH, if it is there */
	enum told told;
};

/* Options that not every verb has. */
enum { TAKES_LIST = 1, TAKES_JSON = 2, TAKES_DRY_RUN = 4, TAKES_RULES = 8 };

static const struct verb {
	const char *name;
	int least, most; /* words */
	unsigned takes;
	enum exit_status (*run)(const struct request *q);
} verbs[] = {
	{"check", 1, INT32_MAX, 0, verb_check},
	{"info", 1, INT32_MAX, TAKES_JSON, verb_info},
	{"list", 0, INT32_MAX, TAKES_LIST | TAKES_JSON, verb_list},
	{"log", 1, INT32_MAX, 0, verb_log},
	{"pin", 1, INT32_MAX, 0, verb_pin},
	{"show", 1, INT32_MAX, TAKES_JSON, verb_show},
	{"tidy", 0, 0, TAKES_DRY_RUN | TAKES_RULES, verb_tidy},
	{"unpin", 1, INT32_MAX, 0, verb_unpin},
};

/* --- --since -------------------------------------------------------------------------------- */

/* A time as a dump's name, or as meta.json has it, or a day. */
static bool since_time(const char *text, int64_t *since_s_ret)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H-%M-%SZ",
					    "%Y-%m-%d %H:%M:%S"};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = {0};
		const char *rest = strptime(text, forms[i], &tm);

		if (!rest || *rest)
			continue;
		*since_s_ret = (int64_t)timegm(&tm);
		return true;
	}
	return false;
}

static bool since_ago(const char *text, int64_t *ago_s_ret)
{
	const size_t len = strlen(text);
	char days[16] = "";
	struct error unused;
	long long n;
	uint64_t ms;

	if (len > 1 && len < sizeof(days) && text[len - 1] == 'd') {
		memcpy(days, text, len - 1);
		if (parse_number(days, 0, DAYS_MAX, &n, &unused) < 0)
			return false;
		*ago_s_ret = n * DAY_S;
		return true;
	}
	if (parse_duration(text, &ms, &unused) < 0 || ms / 1000 > (uint64_t)DAYS_MAX * DAY_S)
		return false;
	*ago_s_ret = (int64_t)(ms / 1000);
	return true;
}

static int set_since(void *values, const struct cli_word *w, struct error *err)
{
	struct line *line = values;
	int64_t ago_s;

	if (since_time(w->arg, &line->request.since_s))
		return 0;
	if (!since_ago(w->arg, &ago_s))
		return error_set(err, -EINVAL,
				 "\"%.40s\" is neither a time like 2026-12-01 or "
				 "2026-12-01T03:00:00Z (UTC), nor one ago like 7d, 12h or 30m",
				 w->arg);
	line->request.since_s = (int64_t)time(NULL) - ago_s;
	return 0;
}

/* --- the command line ----------------------------------------------------------------------- */

/* clang-format off */
#define AT(member) CLI_FIELD(struct line, member)

/* Sorted as --help shows them. */
static const struct cli_option options[] = {
	{"config", 0, "FILE", "vmrecv's: DIR, rules (" CONFIG_PATH ")", .kind = CLI_PATH, AT(config)},
	{"dir", 0, "DIR", "the collector's (default: its file's)", .kind = CLI_PATH, AT(request.dir)},
	{"dry-run", 'n', NULL, "tidy: say what would go", .kind = CLI_FLAG, AT(request.dry_run)},
	{"help", 'h', NULL, "show this text", .kind = CLI_CONSTANT, AT(told), .value = TOLD_HELP},
	{"incomplete", 0, NULL, "list: those that aren't complete", .kind = CLI_FLAG,
	 AT(request.incomplete)},
	{"json", 0, NULL, "list, show, info: a JSON array", .kind = CLI_FLAG, AT(request.json)},
	{"since", 0, "TIME", "list: 2026-12-01, or 7d, 12h, 30m ago", .kind = CLI_SET, .set = set_since},
	{"version", 'V', NULL, "show version", .kind = CLI_CONSTANT, AT(told), .value = TOLD_VERSION},
};
/* clang-format on */

static void set_defaults(void *values)
{
	*(struct line *)values = (struct line){0};
}

/* The file is vmrecv's, and is read by vmrecv's table. */
static bool never(const void *values UNUSED)
{
	return true;
}

static const struct cli_table table = {options, ARRAY_LEN(options), NULL, set_defaults, never};

static void print_help(void)
{
	puts("Usage: vmdumps list [--since TIME] [--incomplete] [--json] [HOST|HOST/TIME...]\n"
	     "       vmdumps show [--json] DUMP...\n"
	     "       vmdumps log|check DUMP...\n"
	     "       vmdumps info [--json] DUMP...\n"
	     "       vmdumps pin|unpin HOST/TIME...\n"
	     "       vmdumps tidy [--dry-run]\n"
	     "\n"
	     "Look at the dumps that vmrecv has taken, keep them, or remove old ones. DUMP is\n"
	     "HOST/TIME, as list shows it; HOST alone is the newest dump of that host.\n");
	cli_help(options, ARRAY_LEN(options));
	puts("\nExit status: 0 done, 1 failed, 2 usage; of check as vmrecv's. See vmdumps(8).");
}

static const struct verb *verb_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int check_request(const struct verb *v, const struct request *q, struct error *err)
{
	if ((q->since_s || q->incomplete) && !(v->takes & TAKES_LIST))
		return error_set(err, -EINVAL, "--since and --incomplete go with list");
	if (q->json && !(v->takes & TAKES_JSON))
		return error_set(err, -EINVAL, "--json goes with list, show and info");
	if (q->json && !WITH_JANSSON)
		return error_set(err, -ENOTSUP, "--json is not part of this build (jansson)");
	if (q->dry_run && !(v->takes & TAKES_DRY_RUN))
		return error_set(err, -EINVAL, "--dry-run goes with tidy");
	if (q->word_count < v->least)
		return error_set(err, -EINVAL, "%s: name a dump, HOST/TIME; vmdumps list has them",
				 v->name);
	if (q->word_count > v->most)
		return error_set(err, -EINVAL, "%s: \"%.100s\" is one argument too many", v->name,
				 q->words[v->most]);
	return 0;
}

/* The verb may stand anywhere among the options. NULL: none is needed. */
static int read_line(int argc, char **argv, struct line *line, const struct verb **v_ret,
		     struct error *err)
{
	char *unused = NULL;
	const int first = cli_read(&table, line, argc, argv, &unused, err);

	*v_ret = NULL;
	if (first < 0 || line->told)
		return MIN(first, 0);
	if (first == argc)
		return error_set(err, -EINVAL,
				 "name what to do: list, show, log, check, info, pin, unpin or "
				 "tidy; see --help");
	*v_ret = verb_by_name(argv[first]);
	if (!*v_ret)
		return error_set(err, -EINVAL,
				 "\"%.60s\" is none of list, show, log, check, info, pin, unpin "
				 "and tidy",
				 argv[first]);
	line->request.words = argv + first + 1;
	line->request.word_count = argc - first - 1;
	return check_request(*v_ret, &line->request, err);
}

static enum exit_status run(const struct verb *v, struct line *line)
{
	struct request *q = &line->request;
	struct options o = {0};
	enum exit_status status;
	struct error err;

	/* With a --dir no other verb needs the file, which not everybody may be able to read. */
	if ((!q->dir || line->config || v->takes & TAKES_RULES) &&
	    options_read_file(line->config, &o, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	q->rules = o.limits.rules;
	if (!q->dir)
		q->dir = o.dir ? o.dir : "/var/crash";
	status = v->run(q);
	options_deinit(&o);
	return status;
}

int main(int argc, char **argv)
{
	const struct verb *v;
	struct line line;
	struct error err;

	io_fill_standard_streams();
	umask(077);
	log_init("vmdumps", LOG_NOTE);
	if (read_line(argc, argv, &line, &v, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	if (v)
		return run(v, &line);
	if (line.told == TOLD_HELP)
		print_help();
	else
		puts("vmdumps " VERSION);
	return verb_end(EXIT_COMPLETE);
}
