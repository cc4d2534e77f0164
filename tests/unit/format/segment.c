/* include/format/segment.h, include/base/digest.h: tables, cursors, and the chain over them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/segment.h"

static struct digester *digester;

static void hex_is(const uint8_t digest[static DIGEST_BYTES], const char *want)
{
	char hex[DIGEST_HEX_ROOM];

	assert_string_equal(digest_hex(hex, digest), want);
}

/* FIPS 180-4's examples, and the empty text. */
static const struct sha_row {
	const char *name, *text, *want;
} sha_rows[] = {
	{"digest: of nothing", "",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"digest: of abc", "abc",
	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"digest: of 56 letters", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void test_sha(void **state)
{
	const struct sha_row *row = *state;
	uint8_t digest[DIGEST_BYTES];
	struct error err;

	for (size_t cut = 0; cut <= strlen(row->text); cut++) {
		digester_begin(digester);
		digester_add(digester, row->text, cut);
		digester_add(digester, row->text + cut, strlen(row->text) - cut);
		assert_int_equal(digester_end(digester, digest, &err), 0);
		hex_is(digest, row->want);
	}
}

static const struct parse_row {
	const char *name, *hex;
	int want;
} parse_rows[] = {
	{"digest: parses what it writes",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0},
	{"digest: refuses capitals",
	 "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", -EBADMSG},
	{"digest: refuses 63 digits",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", -EBADMSG},
	{"digest: refuses 65 digits",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550", -EBADMSG},
	{"digest: refuses a letter that is none",
	 "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", -EBADMSG},
	{"digest: refuses a blank",
	 " 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", -EBADMSG},
	{"digest: refuses an empty text", "", -EBADMSG},
};

static void test_parse(void **state)
{
	const struct parse_row *row = *state;
	uint8_t digest[DIGEST_BYTES];
	struct error err;

	assert_int_equal(digest_parse(row->hex, digest, &err), row->want);
	if (row->want == 0)
		hex_is(digest, row->hex);
}

/* --- the chain --- */

/* Beginning as the example of docs/PROTOCOL.md, "Segments and digest", which
 * tests/unit/session/golden.c has whole. These numbers were made by another program. */
static void test_chain(void **state UNUSED)
{
	uint8_t id[DIGEST_BYTES], chain[DIGEST_BYTES];
	struct segment s = {0};
	struct extent e = {.off = 0, .size_bytes = 3};
	struct error err;

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		id[i] = (uint8_t)i;
	assert_int_equal(digest_begin(digester, id, chain, &err), 0);
	hex_is(chain, "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
	assert_int_equal(digest_parse(sha_rows[1].want, e.sha256, &err), 0);
	assert_int_equal(segment_add(&s, &e, &err), 0);
	assert_int_equal(digest_chain(digester, &s, chain, &err), 0);
	hex_is(chain, "6a716482b3922882993748598f8cc3a8546754935e0a66acb7853c1009d70f80");
	segment_clear(&s);
	assert_int_equal(digest_chain(digester, &s, chain, &err), 0);
	hex_is(chain, "eaec2400c96236881d0c89e2ed3fb211727882748605453df570f64c1b8135fd");
	segment_deinit(&s);
}

/* Each bit of a table is in the digest, and the order, and where one table ends. */
static void test_chain_differs(void **state UNUSED)
{
	const struct extent first = {1, 2, {3}}, second = {4, 5, {6}};
	uint8_t want[DIGEST_BYTES] = {0}, got[DIGEST_BYTES];
	struct segment s = {0}, other = {0};
	struct error err;
	uint8_t table[4 + 2 * EXTENT_BYTES];
	struct outbuf o = outbuf_init(table, sizeof(table));

	assert_int_equal(segment_add(&s, &first, &err), 0);
	assert_int_equal(segment_add(&s, &second, &err), 0);
	assert_int_equal(digest_chain(digester, &s, want, &err), 0);
	segment_put(&o, &s);
	for (size_t bit = 32; bit < 8 * sizeof(table); bit++) {
		struct rd r = rd_init(table, sizeof(table));

		table[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (segment_get(&r, &other, &err) == 0) {
			memset(got, 0, sizeof(got));
			assert_int_equal(digest_chain(digester, &other, got, &err), 0);
			assert_memory_not_equal(got, want, DIGEST_BYTES);
		}
		table[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	segment_clear(&s);
	assert_int_equal(segment_add(&s, &second, &err), 0);
	assert_int_equal(segment_add(&s, &first, &err), 0);
	memset(got, 0, sizeof(got));
	assert_int_equal(digest_chain(digester, &s, got, &err), 0);
	assert_memory_not_equal(got, want, DIGEST_BYTES);
	segment_deinit(&s);
	segment_deinit(&other);
}

/* --- tables --- */

static const struct table_row {
	const char *name;
	uint32_t count; /* as the table says */
	uint64_t off;
	uint32_t size_bytes;
	int want;
} table_rows[] = {
	{"segment: takes an extent", 1, 0, 1, 0},
	{"segment: takes an empty table", 0, 0, 1, 0}, /* what follows is left */
	{"segment: refuses an empty extent", 1, 5, 0, -EBADMSG},
	{"segment: takes an extent that ends at 2^63", 1, INT64_MAX - 1, 1, 0},
	{"segment: refuses one past 2^63", 1, INT64_MAX, 1, -EBADMSG},
	{"segment: refuses one past 2^64", 1, UINT64_MAX, UINT32_MAX, -EBADMSG},
	{"segment: takes one of 4 GiB", 1, 0, UINT32_MAX, 0},
	{"segment: refuses a count of more than there is", 2, 0, 1, -EBADMSG},
	{"segment: refuses a count of 2^32 - 1", UINT32_MAX, 0, 1, -EBADMSG},
};

static void test_table(void **state)
{
	const struct table_row *row = *state;
	uint8_t *table = calloc(1, 4 + EXTENT_BYTES);
	struct rd r = rd_init(table, 4 + EXTENT_BYTES);
	struct segment s = {0};
	struct error err;

	assert_int_equal(segment_add(&s, &(struct extent){9, 9, {9}}, &err), 0);
	le32_put(table, row->count);
	le64_put(table + 4, row->off);
	le32_put(table + 12, row->size_bytes);
	table[16] = 77;
	assert_int_equal(segment_get(&r, &s, &err), row->want);
	assert_int_equal(s.count, row->want == 0 ? row->count : 0);
	if (s.count) {
		assert_true(s.extents[0].off == row->off);
		assert_int_equal(s.extents[0].size_bytes, row->size_bytes);
		assert_int_equal(s.extents[0].sha256[0], 77);
	}
	segment_deinit(&s);
	free(table);
}

static void test_many(void **state UNUSED)
{
	const size_t room = 4 + (SEGMENT_EXTENTS_MAX + 1) * (size_t)EXTENT_BYTES;
	uint8_t *table = malloc(room);
	struct outbuf o = outbuf_init(table, room);
	struct segment s = {0}, got = {0};
	struct error err;
	struct rd r;

	for (uint32_t i = 0; i < SEGMENT_EXTENTS_MAX; i++)
		assert_int_equal(segment_add(&s, &(struct extent){i, 1, {0}}, &err), 0);
	assert_int_equal(segment_add(&s, &(struct extent){0, 1, {0}}, &err), -EFBIG);
	/* The largest table fits in a frame, and no larger one would. */
	assert_true(CURSOR_BYTES + DIGEST_BYTES + 4 + s.count * EXTENT_BYTES <= 1 << 20);
	assert_true(CURSOR_BYTES + DIGEST_BYTES + 4 + (s.count + 1) * EXTENT_BYTES > 1 << 20);
	segment_put(&o, &s);
	r = rd_init(table, outbuf_used(&o));
	assert_int_equal(segment_get(&r, &got, &err), 0);
	assert_int_equal(got.count, SEGMENT_EXTENTS_MAX);
	assert_true(rd_done(&r));
	le32_put(table, SEGMENT_EXTENTS_MAX + 1);
	memset(o.pos, 1, EXTENT_BYTES);
	r = rd_init(table, room);
	assert_int_equal(segment_get(&r, &got, &err), -EBADMSG);
	segment_deinit(&s);
	segment_deinit(&got);
	free(table);
}

static void test_cursor(void **state UNUSED)
{
	const struct cursor c = {1, CURSOR_AT_END, 3, 4, UINT64_MAX - 1};
	uint8_t bytes[CURSOR_BYTES];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct rd r = rd_init(bytes, sizeof(bytes));
	struct cursor got;

	cursor_put(&o, &c);
	assert_int_equal(outbuf_used(&o), CURSOR_BYTES);
	assert_false(o.bad);
	got = cursor_get(&r);
	assert_memory_equal(&got, &c, sizeof(c));
	assert_true(rd_done(&r));
}

int main(int argc, char **argv)
{
	static struct unit u;
	struct error err;
	int r;

	if (digester_new(&digester, &err) < 0)
		return 1;
	UNIT_ADD_ROWS(&u, sha_rows, test_sha);
	UNIT_ADD_ROWS(&u, parse_rows, test_parse);
	unit_add(&u, "segment: has a digest that follows from its table", test_chain, NULL);
	unit_add(&u, "segment: has another digest for another table", test_chain_differs, NULL);
	UNIT_ADD_ROWS(&u, table_rows, test_table);
	unit_add(&u, "segment: may have as many extents as fit in a frame", test_many, NULL);
	unit_add(&u, "segment: ends at a cursor, there and back", test_cursor, NULL);
	r = unit_run(&u, "segment", argc, argv);
	digester_free(digester);
	return r;
}
