/* One run of vmsend: the vmcore is opened, the level chosen, the dump made and brought to where it
 * is to be; or a report, or a probe. */
#ifndef JOB_H
#define JOB_H

#include "base/error.h"

struct options;

/* Do what the options ask for, and say what came of it. *status_ret is the exit status, whatever
 * comes back. Fails with what ended it. */
NODISCARD int job_run(const struct options *o, enum exit_status *status_ret, struct error *err);

#endif
