/* Calls somebody while operations take long.
 * Doesn't know what they do. */
#include "receiver/session/heartbeat.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum {
	LOOK_MS = 100, /* between two calls of alive() */

	/* The thread calls nothing but alive(); the part of a stack that isn't touched costs no
	 * memory. */
	STACK_BYTES = 256 << 10,
};

struct heartbeat {
	const struct session_ops *ops;
	void *ctx;
	struct keepalive alive;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t mutex; /* of the fields below; held while the thread calls alive() */
	pthread_cond_t begun_cond, ending_cond;
	bool in_operation; /* only the caller changes it */
	bool ending;
	uint64_t stirred_ms;  /* when the operation began, or last called heartbeat_wanted() */
	struct error stopped; /* the error of alive() during this operation; code 0: none */
};

/* --- the thread ----------------------------------------------------------------------------- */

/* Wait, with the mutex: for LOOK_MS, or until the thread is to end. */
static void rest(struct heartbeat *p)
{
	const uint64_t until_ms = clock_ms() + LOOK_MS;
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				       .tv_nsec = (long)(until_ms % 1000) * 1000000};

	while (!p->ending && clock_ms() < until_ms)
		(void)pthread_cond_timedwait(&p->ending_cond, &p->mutex, &until);
}

static void *thread_main(void *ctx)
{
	struct heartbeat *p = ctx;

	pthread_mutex_lock(&p->mutex);
	while (!p->ending) {
		struct error stopped;

		if (!p->in_operation) {
			pthread_cond_wait(&p->begun_cond, &p->mutex);
			continue;
		}
		rest(p);
		if (p->in_operation && !p->stopped.code && keepalive(&p->alive, &stopped) < 0)
			p->stopped = stopped;
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

/* The thread blocks all signals. */
static void start_thread(struct heartbeat *p)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr) != 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	p->has_thread = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
			pthread_create(&p->thread, &attr, thread_main, p) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

int heartbeat_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
		  struct heartbeat **p_ret, struct error *err)
{
	struct heartbeat *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	p->ops = ops;
	p->ctx = ctx;
	p->alive = *alive;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->begun_cond, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->ending_cond, &attr);
	pthread_condattr_destroy(&attr);
	start_thread(p);
	*p_ret = p;
	return 0;
}

void heartbeat_free(struct heartbeat *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->mutex);
	p->ending = true;
	pthread_cond_signal(&p->begun_cond);
	pthread_cond_signal(&p->ending_cond);
	pthread_mutex_unlock(&p->mutex);
	if (p->has_thread)
		pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->begun_cond);
	pthread_cond_destroy(&p->ending_cond);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

/* --- the operations ------------------------------------------------------------------------- */

int heartbeat_wanted(struct heartbeat *p, struct error *err)
{
	int r;

	if (!p->in_operation || !p->has_thread)
		return keepalive(&p->alive, err);
	pthread_mutex_lock(&p->mutex);
	p->stirred_ms = clock_ms();
	r = p->stopped.code;
	if (r < 0)
		*err = p->stopped;
	pthread_mutex_unlock(&p->mutex);
	return r;
}

/* Without a thread only heartbeat_wanted() calls alive(), so the operation isn't standing still. */
uint64_t heartbeat_still_ms(const struct heartbeat *p)
{
	return p->in_operation && p->has_thread ? clock_ms() - p->stirred_ms : 0;
}

/* From here on the thread may use the session. */
static struct heartbeat *begin(void *ctx)
{
	struct heartbeat *p = ctx;

	pthread_mutex_lock(&p->mutex);
	p->in_operation = true;
	p->stirred_ms = clock_ms();
	p->stopped.code = 0;
	pthread_cond_signal(&p->begun_cond);
	pthread_mutex_unlock(&p->mutex);
	return p;
}

/* From here on only the caller may use the session. `r` is the operation's result. */
static int finish(struct heartbeat *p, int r, struct error *err)
{
	pthread_mutex_lock(&p->mutex);
	p->in_operation = false;
	pthread_mutex_unlock(&p->mutex);
	if (r < 0 || p->stopped.code == 0)
		return r;
	*err = p->stopped;
	return err->code;
}

static int op_hello(void *ctx, const struct hello *hello, const struct frame *payload,
		    struct welcome *welcome_ret, struct done *done_ret, struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->hello(p->ctx, hello, payload, welcome_ret, done_ret, err), err);
}

static int op_attach(void *ctx, const struct attach *attach, struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->attach(p->ctx, attach, err), err);
}

static int op_totals(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->totals(p->ctx, totals, go_ret, err), err);
}

static int op_data(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->data(p->ctx, bytes, size_bytes, err), err);
}

static int op_checkpoint(void *ctx, const struct checkpoint *checkpoint, const struct frame *frame,
			 struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->checkpoint(p->ctx, checkpoint, frame, err), err);
}

static int op_sync(void *ctx, struct error *err)
{
	struct heartbeat *p = begin(ctx);

	return finish(p, p->ops->sync(p->ctx, err), err);
}

/* The dump is published: that counts even if the sender has gone. */
static int op_end(void *ctx, const struct end *end, const struct frame *frame,
		  struct done *done_ret, struct error *err)
{
	struct heartbeat *p = begin(ctx);
	const int r = p->ops->end(p->ctx, end, frame, done_ret, err);
	struct error unused;

	(void)!finish(p, r, &unused);
	return r;
}

const struct session_ops heartbeat_ops = {
	.hello = op_hello,
	.attach = op_attach,
	.totals = op_totals,
	.data = op_data,
	.checkpoint = op_checkpoint,
	.sync = op_sync,
	.end = op_end,
};
