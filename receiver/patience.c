/* Operations in threads of their own.
 * Doesn't know what they do. */
#include "patience.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"

enum {
	LOOK_MS = 100, /* between two calls of alive() */

	/* An operation's paths and headers, with room to spare; what isn't touched costs nothing.
	 */
	STACK_BYTES = 512 << 10,
};

/* One operation with its arguments. */
struct errand {
	int (*fn)(const struct errand *e, struct error *err);
	struct patience *patience;
	const void *in;
	const struct frame *frame;
	void *out, *done;
	bool is_last; /* what it has done counts, whoever has gone */
};

struct patience {
	const struct session_ops *ops;
	void *ctx;
	struct keepalive alive;

	bool threaded; /* an operation has a thread; it doesn't change as long as there is one */

	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t ended_cond;
	bool ended;
	struct error stopped; /* by alive(); code 0: not */

	const struct errand *errand; /* of the thread, which alone has these until it is joined */
	int result;
	struct error *err;
};

int patience_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
		 struct patience **p_ret, struct error *err)
{
	struct patience *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	p->ops = ops;
	p->ctx = ctx;
	p->alive = *alive;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->ended_cond, &attr);
	pthread_condattr_destroy(&attr);
#ifdef M_ARENA_MAX
	/* What threads that never run at once allocate needs no second arena. */
	mallopt(M_ARENA_MAX, 1);
#endif
	*p_ret = p;
	return 0;
}

void patience_free(struct patience *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->ended_cond);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

int patience_wanted(struct patience *p, struct error *err)
{
	int r;

	if (!p->threaded)
		return keepalive(&p->alive, err);
	pthread_mutex_lock(&p->mutex);
	r = p->stopped.code;
	if (r < 0)
		*err = p->stopped;
	pthread_mutex_unlock(&p->mutex);
	return r;
}

static void *thread_main(void *ctx)
{
	struct patience *p = ctx;

	p->result = p->errand->fn(p->errand, p->err);
	pthread_mutex_lock(&p->mutex);
	p->ended = true;
	pthread_cond_signal(&p->ended_cond);
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

/* Whether the thread could be had. No signal is its business. */
static bool start_thread(struct patience *p, pthread_t *thread_ret)
{
	pthread_attr_t attr;
	sigset_t all, before;
	bool started;

	if (pthread_attr_init(&attr) != 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
		  pthread_create(thread_ret, &attr, thread_main, p) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return started;
}

/* With the mutex: until the thread has ended. It is let go of only while alive() is called, which
 * the thread may ask for the outcome. */
static void await_end(struct patience *p)
{
	while (!p->ended && p->stopped.code == 0) {
		const uint64_t until_ms = clock_ms() + LOOK_MS;
		const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
					       .tv_nsec = (long)(until_ms % 1000) * 1000000};
		struct error stopped;
		int r;

		while (!p->ended && clock_ms() < until_ms)
			(void)pthread_cond_timedwait(&p->ended_cond, &p->mutex, &until);
		if (p->ended)
			return;
		pthread_mutex_unlock(&p->mutex);
		r = keepalive(&p->alive, &stopped);
		pthread_mutex_lock(&p->mutex);
		if (r < 0)
			p->stopped = stopped;
	}
	while (!p->ended)
		pthread_cond_wait(&p->ended_cond, &p->mutex);
}

/* Without a thread nobody is heard meanwhile, but it is done. */
static int run(const struct errand *e, struct error *err)
{
	struct patience *p = e->patience;
	pthread_t thread;

	p->errand = e;
	p->err = err;
	p->ended = false;
	p->stopped.code = 0;
	p->threaded = true;
	if (!start_thread(p, &thread)) {
		p->threaded = false;
		return e->fn(e, err);
	}
	pthread_mutex_lock(&p->mutex);
	await_end(p);
	pthread_mutex_unlock(&p->mutex);
	pthread_join(thread, NULL);
	p->threaded = false;
	if (p->result < 0 || p->stopped.code == 0 || e->is_last)
		return p->result;
	*err = p->stopped;
	return err->code;
}

/* --- the operations ------------------------------------------------------------------------- */

static int do_hello(const struct errand *e, struct error *err)
{
	const struct patience *p = e->patience;

	return p->ops->hello(p->ctx, e->in, e->frame, e->out, e->done, err);
}

static int op_hello(void *ctx, const struct hello *hello, const struct frame *payload,
		    struct welcome *welcome_ret, struct done *done_ret, struct error *err)
{
	const struct errand e = {.fn = do_hello,
				 .patience = ctx,
				 .in = hello,
				 .frame = payload,
				 .out = welcome_ret,
				 .done = done_ret};

	return run(&e, err);
}

static int do_attach(const struct errand *e, struct error *err)
{
	return e->patience->ops->attach(e->patience->ctx, e->in, err);
}

static int op_attach(void *ctx, const struct attach *attach, struct error *err)
{
	const struct errand e = {.fn = do_attach, .patience = ctx, .in = attach};

	return run(&e, err);
}

static int do_totals(const struct errand *e, struct error *err)
{
	return e->patience->ops->totals(e->patience->ctx, e->in, e->out, err);
}

static int op_totals(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err)
{
	const struct errand e = {.fn = do_totals, .patience = ctx, .in = totals, .out = go_ret};

	return run(&e, err);
}

static int op_data(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	const struct patience *p = ctx;

	return p->ops->data(p->ctx, bytes, size_bytes, err);
}

static int do_checkpoint(const struct errand *e, struct error *err)
{
	return e->patience->ops->checkpoint(e->patience->ctx, e->in, e->frame, err);
}

static int op_checkpoint(void *ctx, const struct checkpoint *checkpoint, const struct frame *frame,
			 struct error *err)
{
	const struct errand e = {
		.fn = do_checkpoint, .patience = ctx, .in = checkpoint, .frame = frame};

	return run(&e, err);
}

static int do_sync(const struct errand *e, struct error *err)
{
	return e->patience->ops->sync(e->patience->ctx, err);
}

static int op_sync(void *ctx, struct error *err)
{
	const struct errand e = {.fn = do_sync, .patience = ctx};

	return run(&e, err);
}

static int do_end(const struct errand *e, struct error *err)
{
	const struct patience *p = e->patience;

	return p->ops->end(p->ctx, e->in, e->frame, e->done, err);
}

static int op_end(void *ctx, const struct end *end, const struct frame *frame,
		  struct done *done_ret, struct error *err)
{
	const struct errand e = {.fn = do_end,
				 .patience = ctx,
				 .in = end,
				 .frame = frame,
				 .done = done_ret,
				 .is_last = true};

	return run(&e, err);
}

const struct session_ops patience_ops = {
	.hello = op_hello,
	.attach = op_attach,
	.totals = op_totals,
	.data = op_data,
	.checkpoint = op_checkpoint,
	.sync = op_sync,
	.end = op_end,
};
