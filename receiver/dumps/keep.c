/* `vmdumps pin`, `unpin` and `tidy`: which dumps stay.
 * Doesn't know the rules. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "receiver/dumps/verbs.h"
#include "receiver/inspect/escape.h"
#include "receiver/retention/pin.h"
#include "receiver/retention/tidy.h"

static enum exit_status set(const struct request *q, bool pinned)
{
	enum exit_status status = EXIT_COMPLETE;
	char text[400];
	struct error err;
	int r;

	for (int i = 0; i < q->word_count; i++) {
		r = pin_set(q->dir, q->words[i], pinned, &err);
		if (r < 0) {
			log_error("%s", err.msg);
			status = EXIT_FAILED;
			continue;
		}
		log_note("%s: %s%s", escape_text(text, sizeof(text), q->words[i]),
			 r ? "" : "already ", pinned ? "pinned" : "not pinned");
	}
	return status;
}

enum exit_status verb_pin(const struct request *q)
{
	return set(q, true);
}

enum exit_status verb_unpin(const struct request *q)
{
	return set(q, false);
}

static void tell(void *ctx, const struct stored *d)
{
	const struct request *q = ctx;
	char host[400], size[16];

	printf("%s/%s  %s  %s by %s\n", escape_text(host, sizeof(host), d->host), d->name,
	       format_size(size, sizeof(size), d->bytes), q->dry_run ? "would go" : "removed",
	       rule_name(d->gone));
}

enum exit_status verb_tidy(const struct request *q)
{
	struct request told = *q;
	const struct tidy_setup setup = {.dir = q->dir,
					 .rules = q->rules,
					 .dry_run = q->dry_run,
					 .told = tell,
					 .ctx = &told};
	struct tidy_result result;
	struct error err;
	char text[200];

	if (!rules_given(&q->rules))
		log_note("the configuration file has no rule by which dumps go");
	if (tidy_once(&setup, &result, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_FAILED;
	}
	if (tidy_text(&result, q->dry_run, text))
		log_note("%s", text);
	if (result.left)
		log_note("%u dumps stay for now: they are in use", result.left);
	if (result.stepped)
		log_warning("the clock has stepped: ages count from now on");
	if (result.remark.code)
		log_warning("%s", result.remark.msg);
	return verb_end(result.remark.code ? EXIT_FAILED : EXIT_COMPLETE);
}
