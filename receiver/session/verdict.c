/* Error codes to what the sender is told.
 * Doesn't know sessions, nor what has failed. */
#include "receiver/session/verdict.h"

#include <errno.h>
#include <stddef.h>

enum {
	/* A failure of this link may not come again on the next. */
	RETRY_S = 1,
	/* The queue is full, too; or a disk hangs. */
	BUSY_RETRY_S = 30,
	/* Others needed the sender's place: it waits for another. */
	GIVEN_WAY_RETRY_S = 10,
	/* No space now: other dumps may become smaller than they might, or go. */
	NO_ROOM_RETRY_S = 300,
	/* A newer link has the dump: the sender looks again later whether it has arrived. */
	OVERTAKEN_RETRY_S = 60,
};

/* What isn't here has the reason that it has for both sides (reason_of_code()), and another try
 * after RETRY_S may help: an -EIO, say, as a disk may fail once. One that goes on failing becomes
 * read-only, or nothing more is acknowledged, and the sender's time for that is limited. */
static const struct verdict {
	int code;
	enum reason reason;
	uint32_t retry_after_s;
} verdicts[] = {
	{-EACCES, REASON_POLICY, 0},
	{-EPERM, REASON_POLICY, 0},
	/* A path that leads nowhere, or to something that is in the way. */
	{-EEXIST, REASON_POLICY, 0},
	{-EISDIR, REASON_POLICY, 0},
	{-ELOOP, REASON_POLICY, 0},
	{-ENAMETOOLONG, REASON_POLICY, 0},
	{-ENOTDIR, REASON_POLICY, 0},
	/* There is no room, and without an operator there won't be any. */
	{-EDQUOT, REASON_NO_SPACE, 0},
	{-EFBIG, REASON_NO_SPACE, 0},
	{-ENOSPC, REASON_NO_SPACE, 0},
	{-EROFS, REASON_NO_SPACE, 0},
	{-ETIME, REASON_NO_SPACE, BUSY_RETRY_S},       /* the disk hangs: there may be room later */
	{-EUSERS, REASON_NO_SPACE, GIVEN_WAY_RETRY_S}, /* others need its place */
	{-ENOBUFS, REASON_NO_SPACE, NO_ROOM_RETRY_S},
	{-EAGAIN, REASON_BUSY, BUSY_RETRY_S},
	{-EBUSY, REASON_BUSY, RETRY_S},
	{-EALREADY, REASON_BUSY, OVERTAKEN_RETRY_S},
	{-EBADMSG, REASON_PROTOCOL, RETRY_S},
	{-ENOTSUP, REASON_PROTOCOL, 0},
};

static const struct verdict *find(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		if (verdicts[i].code == code)
			return &verdicts[i];
	return NULL;
}

enum reason verdict_reason(int code)
{
	const struct verdict *v = find(code);

	return v ? v->reason : reason_of_code(code);
}

uint32_t verdict_retry_after_s(int code, bool early)
{
	const struct verdict *v = find(code);

	if (early && code == -ENOENT)
		return 0;
	return v ? v->retry_after_s : RETRY_S;
}
