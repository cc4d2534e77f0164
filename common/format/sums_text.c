/* FILE.sums as a text: writing it, and reading what nobody vouches for.
 * Doesn't know the file that it is about. */
#include "format/sums_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/crc32c.h"

enum {
	/* Two numbers of 20 digits, a CRC of 8, a digest of 64, and what is between them. */
	LINE_ROOM = 128,
	CRC_DIGITS = 8,
};

static const char first_line[] = SUMS_TEXT_FIRST_LINE;

static void PRINTF(2, 3) put(struct sums_text *text, const char *fmt, ...)
{
	char line[LINE_ROOM];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text->crc32c = crc32c(text->crc32c, line, (size_t)n);
	fwrite(line, 1, (size_t)n, text->to);
}

void sums_text_begin(struct sums_text *text, FILE *to, uint64_t file_bytes)
{
	*text = (struct sums_text){.to = to};
	put(text, "%s", first_line);
	put(text, "size %" PRIu64 "\n", file_bytes);
}

void sums_text_line(struct sums_text *text, const struct sums_line *line)
{
	char hex[DIGEST_HEX_ROOM] = "";

	if (line->has_sha256)
		digest_hex(hex, line->sha256);
	put(text, "%" PRIu64 " %" PRIu64 " %08" PRIx32 "%s%s\n", line->off, line->size_bytes,
	    line->crc32c, *hex ? " " : "", hex);
}

void sums_text_end(struct sums_text *text)
{
	fprintf(text->to, "end %08" PRIx32 "\n", text->crc32c);
}

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
	FILE *from;
	uint32_t crc32c; /* CRC of the lines before this one */
	uint64_t number; /* of this line, from 1 */
	char line[LINE_ROOM];
};

static int wrong(const struct reading *rd, const char *what, struct error *err)
{
	return error_set(err, -EBADMSG, "line %" PRIu64 ": %s", rd->number, what);
}

/* The next line, without its newline. */
static int next_line(struct reading *rd, struct error *err)
{
	size_t len;

	rd->number++;
	if (!fgets(rd->line, sizeof(rd->line), rd->from))
		return ferror(rd->from) ? error_sys(err, "read") : wrong(rd, "it ends here", err);
	len = strlen(rd->line);
	if (len == 0 || rd->line[len - 1] != '\n')
		return wrong(rd, "it is cut off, or too long", err);
	rd->line[len - 1] = '\0';
	return 0;
}

/* The line is right by itself, and counts for the CRC. */
static void take_line(struct reading *rd)
{
	rd->crc32c = crc32c(rd->crc32c, rd->line, strlen(rd->line));
	rd->crc32c = crc32c(rd->crc32c, "\n", 1);
}

/* A decimal number, as it is written here: no sign, no zeros before it. */
static bool take_number(const char **p, uint64_t *n_ret)
{
	const char *begin = *p;
	uint64_t n = 0;

	for (; isdigit((unsigned char)**p); (*p)++)
		if (ckd_mul(&n, n, UINT64_C(10)) || ckd_add(&n, n, (uint64_t)(**p - '0')))
			return false;
	if (*p == begin || (*begin == '0' && *p - begin > 1))
		return false;
	*n_ret = n;
	return true;
}

static bool take_crc(const char **p, uint32_t *crc_ret)
{
	if (strspn(*p, "0123456789abcdef") != CRC_DIGITS)
		return false;
	*crc_ret = (uint32_t)strtoul(*p, NULL, 16);
	*p += CRC_DIGITS;
	return true;
}

static bool take_blank(const char **p)
{
	return *(*p)++ == ' ';
}

static bool parse_line(const char *p, struct sums_line *line_ret)
{
	struct sums_line line = {0};
	struct error unused;

	if (!take_number(&p, &line.off) || !take_blank(&p) || !take_number(&p, &line.size_bytes) ||
	    !take_blank(&p) || !take_crc(&p, &line.crc32c))
		return false;
	line.has_sha256 = *p == ' ';
	if (line.has_sha256 ? digest_parse(p + 1, line.sha256, &unused) < 0 : *p)
		return false;
	*line_ret = line;
	return true;
}

static int read_head(struct reading *rd, uint64_t *file_bytes_ret, struct error *err)
{
	static const char size[] = "size ";
	const char *p = rd->line + strlen(size);
	int r = next_line(rd, err);

	if (r == 0 && (strncmp(rd->line, first_line, strlen(first_line) - 1) != 0 ||
		       rd->line[strlen(first_line) - 1]))
		r = wrong(rd, "it isn't \"vmsend sums 1\"", err);
	if (r < 0)
		return r;
	take_line(rd);
	r = next_line(rd, err);
	if (r == 0 && (strncmp(rd->line, size, strlen(size)) != 0 ||
		       !take_number(&p, file_bytes_ret) || *p || *file_bytes_ret > INT64_MAX))
		r = wrong(rd, "it isn't the file's size", err);
	if (r == 0)
		take_line(rd);
	return r;
}

/* The last line: 1, or 0 if it is another one. */
static int read_end(struct reading *rd, struct error *err)
{
	static const char end[] = "end ";
	const char *p = rd->line + strlen(end);
	uint32_t crc;

	if (strncmp(rd->line, end, strlen(end)) != 0)
		return 0;
	if (!take_crc(&p, &crc) || *p || crc != rd->crc32c)
		return wrong(rd, "the CRC of what stands before it is another one", err);
	if (fgetc(rd->from) != EOF)
		return wrong(rd, "it isn't the last one", err);
	return 1;
}

int sums_text_read(FILE *from, sums_line_fn *fn, void *ctx, uint64_t *file_bytes_ret,
		   struct error *err)
{
	struct reading rd = {.from = from};
	uint64_t file_bytes, at = 0;
	int r;

	rewind(from);
	r = read_head(&rd, &file_bytes, err);
	while (r == 0) {
		struct sums_line line;

		r = next_line(&rd, err);
		if (r == 0)
			r = read_end(&rd, err);
		if (r != 0)
			break;
		if (!parse_line(rd.line, &line) || line.off != at || line.size_bytes == 0 ||
		    line.size_bytes > file_bytes - at)
			return wrong(&rd, "it isn't the next chunk", err);
		take_line(&rd);
		at += line.size_bytes;
		r = fn ? fn(ctx, &line, err) : 0;
	}
	if (r > 0 && at != file_bytes)
		return wrong(&rd, "bytes of the file are in none of the lines before it", err);
	if (r < 0)
		return r;
	*file_bytes_ret = file_bytes;
	return 0;
}
