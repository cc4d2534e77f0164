/* Integers in bytes of a stated order. Header-only. */
#ifndef BYTES_H
#define BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_ACCESSORS(order, bits)                                                               \
	static inline uint##bits##_t order##bits##_get(const void *p)                              \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
                                                                                                   \
		memcpy(&v, p, sizeof(v));                                                          \
		return order##bits##toh(v);                                                        \
	}                                                                                          \
	static inline void order##bits##_put(void *p, uint##bits##_t v)                            \
	{                                                                                          \
		v = hto##order##bits(v);                                                           \
		memcpy(p, &v, sizeof(v));                                                          \
	}

BYTES_ACCESSORS(le, 16)
BYTES_ACCESSORS(le, 32)
BYTES_ACCESSORS(le, 64)
BYTES_ACCESSORS(be, 16)
BYTES_ACCESSORS(be, 32)
BYTES_ACCESSORS(be, 64)
#undef BYTES_ACCESSORS

#endif
