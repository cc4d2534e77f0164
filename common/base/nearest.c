/* Edit distances of short words.
 * Doesn't know what the words are for. */
#include "base/nearest.h"

#include <string.h>

#include "base/compiler.h"

enum {
	LETTERS_A_SLIP = 3, /* one letter in so many may be wrong */
	SLIPS_MAX = 3,
	BEGINNING_MIN = 3, /* so many letters are enough for the beginning of a name */
};

/* Optimal string alignment: Levenshtein's distance, and exchanged neighbours count once. */
size_t nearest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	/* Three rows of the table of distances between beginnings: the last two, and this one. */
	size_t rows[3][NEAREST_WORD_MAX + 1];

	if (a_len > NEAREST_WORD_MAX || b_len > NEAREST_WORD_MAX)
		return MAX(a_len, b_len);
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *const row = rows[i % 3];
		const size_t *const above = rows[(i - 1) % 3], *const second = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = MIN(row[j], MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], second[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

size_t nearest_name(const char *word, size_t word_len, const char *const *names, size_t count)
{
	size_t best = count, least = MIN(word_len / LETTERS_A_SLIP, (size_t)SLIPS_MAX) + 1;

	for (size_t i = 0; i < count; i++) {
		size_t far;

		if (!names[i])
			continue;
		if (word_len >= BEGINNING_MIN && strncmp(names[i], word, word_len) == 0)
			return i;
		far = nearest_distance(word, word_len, names[i], strlen(names[i]));
		if (far < least) {
			best = i;
			least = far;
		}
	}
	return best;
}
