/* Numbers as people write them.
 * Doesn't know which option they belong to. */
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

int parse_number(const char *text, long long min, long long max, long long *number_ret,
		 struct error *err)
{
	const char first = text[*text == '-'];
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10); /* which would pass over blanks of all kinds, and a plus */
	if (first < '0' || first > '9' || *end || errno || n < min || n > max)
		return error_set(err, -EINVAL, "\"%s\" isn't a number from %lld to %lld", text, min,
				 max);
	*number_ret = n;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes_ret, struct error *err)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end == text || errno || *text < '0' || *text > '9')
		goto bad;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			goto bad;
		if (ckd_mul(&n, n, UINT64_C(1) << (10 * (unit - units + 1))))
			goto bad;
	}
	*bytes_ret = n;
	return 0;
bad:
	return error_set(err, -EINVAL, "\"%s\" isn't a size such as 4096, 512M or 2G", text);
}

int parse_duration(const char *text, uint64_t *ms_ret, struct error *err)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = {{'\0', 1000}, {'s', 1000}, {'m', 60000}, {'h', 3600000}};
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end == text || errno || *text < '0' || *text > '9' || (*end && end[1]))
		goto bad;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (*end != units[i].unit)
			continue;
		if (ckd_mul(&n, n, units[i].ms) || n > INT64_MAX)
			goto bad;
		*ms_ret = n;
		return 0;
	}
bad:
	return error_set(err, -EINVAL, "\"%s\" isn't a duration such as 30s, 5m or 2h", text);
}

int parse_choice(const char *text, const char *const *names, unsigned *index_ret, struct error *err)
{
	char list[256] = "";
	size_t len = 0;

	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*index_ret = i;
			return 0;
		}
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						i ? ", " : "", names[i]);
	}
	return error_set(err, -EINVAL, "\"%s\" is none of %s", text, list);
}

const char *format_size(char *out, size_t out_bytes, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1024;
	snprintf(out, out_bytes, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return out;
}

const char *format_duration(char *out, size_t out_bytes, double seconds)
{
	const long long s = (long long)(seconds + 0.5);

	/* Choose the unit by the rounded number, so that no output has 60 of a unit. */
	if (seconds < 9.95)
		snprintf(out, out_bytes, "%.1f s", seconds);
	else if (s < 60)
		snprintf(out, out_bytes, "%lld s", s);
	else if (s < 3600)
		snprintf(out, out_bytes, "%lld min %02lld s", s / 60, s % 60);
	else
		snprintf(out, out_bytes, "%lld h %02lld min", s / 3600, s / 60 % 60);
	return out;
}
