/* Attributes and scope-bound clean-up. Header-only. */
#ifndef COMPILER_H
#define COMPILER_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define NODISCARD	  __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED		  __attribute__((unused))
#define HOT		  __attribute__((hot))
#define COLD		  __attribute__((cold, noinline))
#define ALWAYS_INLINE	  inline __attribute__((always_inline))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* AUTO(foo_free) struct foo *foo = NULL; calls foo_free(foo) where the scope ends. */
#define AUTO(fn) __attribute__((cleanup(auto_##fn)))
#define DEFINE_AUTO(type, fn)                                                                      \
	static inline UNUSED void auto_##fn(type **p)                                              \
	{                                                                                          \
		fn(*p);                                                                            \
	}

static inline void auto_free_(void *p)
{
	free(*(void **)p);
}
#define AUTO_FREE __attribute__((cleanup(auto_free_)))

static inline void auto_close_(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_CLOSE __attribute__((cleanup(auto_close_)))

/* Ownership leaves an AUTO variable: the caller gets the value, and the variable is emptied. */
#define TAKE_PTR(p)                                                                                \
	__extension__({                                                                            \
		__auto_type take_ = (p);                                                           \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

static inline int take_fd_(int *fd)
{
	const int taken = *fd;

	*fd = -1;
	return taken;
}
#define TAKE_FD(fd) take_fd_(&(fd))

#endif
