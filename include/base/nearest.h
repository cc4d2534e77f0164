/* The word that somebody most likely meant: for messages about a mistyped name. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/*
 * How many letters have to be put in, taken out, replaced, or exchanged with their neighbour to
 * make `b` of `a`; `a_len` and `b_len` in bytes. Words longer than NEAREST_WORD_MAX bytes are as
 * far apart as they are long.
 */
enum { NEAREST_WORD_MAX = 40 };
size_t nearest_distance(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * The index in `names` of the name nearest to `word`; a word that is the beginning of a name counts
 * as near. `names` has `count` entries, and its NULLs are passed over. Returns `count` where no
 * name is near enough for a mistyped one: within a third of its letters, and three at most.
 */
size_t nearest_name(const char *word, size_t word_len, const char *const *names, size_t count);

#endif
