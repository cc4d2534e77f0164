/* include/wire/frame.h: frames into bytes and back, whole, cut, damaged and hostile. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "wire/frame.h"

/* --- helpers --- */

/* A frame with any header, under a CRC that is right. */
struct raw {
	uint8_t version, type;
	uint16_t flags;
	uint32_t length; /* as the header says */
	uint64_t sequence;
};

static size_t raw_put(uint8_t *out, const struct raw *raw, const void *payload,
		      size_t payload_bytes)
{
	memset(out, 0, FRAME_HEADER_BYTES);
	memcpy(out, "VMSF", 4);
	out[4] = raw->version;
	out[5] = raw->type;
	le16_put(out + 6, raw->flags);
	le32_put(out + 8, raw->length);
	le64_put(out + 16, raw->sequence);
	if (payload_bytes)
		memcpy(out + FRAME_HEADER_BYTES, payload, payload_bytes);
	le32_put(out + 12, crc32c_by_tables(0, out, FRAME_HEADER_BYTES + payload_bytes));
	return FRAME_HEADER_BYTES + payload_bytes;
}

static int feed(struct frame_reader *r, const void *bytes, size_t size_bytes, struct frame *frame,
		struct error *err)
{
	const uint8_t *p = bytes;

	return frame_reader_feed(r, &p, &size_bytes, frame, err);
}

/* The result of a reader that is given these bytes, one by one. */
static int read_one(const void *bytes, size_t size_bytes, bool skip_noise, struct frame_reader *r,
		    struct frame *frame, struct error *err)
{
	int result = 0;

	frame_reader_init(r, skip_noise);
	for (size_t i = 0; i < size_bytes && result == 0; i++)
		result = feed(r, (const uint8_t *)bytes + i, 1, frame, err);
	return result;
}

static void put_frame(struct frame_writer *w, enum frame_type type, const void *payload,
		      size_t payload_bytes)
{
	struct outbuf o = frame_begin(w);
	struct error err;

	put_bytes(&o, payload, payload_bytes);
	assert_int_equal(frame_end(w, type, &o, &err), 0);
}

/* --- tests --- */

/* The layout, byte by byte. The CRC is that of the frame with zeros in its place. */
static void test_layout(void **state UNUSED)
{
	static const uint8_t want[] = {
		'V', 'M', 'S', 'F', 1, FRAME_ACK, 0, 0, 8, 0, 0, 0, /* CRC */ 0, 0, 0, 0,
		1,   0,	  0,   0,   0, 0,	  0, 0, 5, 0, 0, 0, 0,		 0, 0, 0,
	};
	uint8_t payload[8] = {5}, bytes[sizeof(want)];
	struct frame_writer w;
	struct error err;
	size_t n;

	assert_int_equal(frame_writer_init(&w, 4096, &err), 0);
	put_frame(&w, FRAME_HEARTBEAT, payload, sizeof(payload));
	frame_writer_pending(&w, &n);
	frame_writer_sent(&w, n);
	put_frame(&w, FRAME_ACK, payload, sizeof(payload));
	memcpy(bytes, frame_writer_pending(&w, &n), sizeof(bytes));
	assert_int_equal(n, sizeof(want));
	assert_int_equal(le32_get(bytes + 12), crc32c(0, want, sizeof(want)));
	le32_put(bytes + 12, 0);
	assert_memory_equal(bytes, want, sizeof(want));
	frame_writer_deinit(&w);
}

/* Frames of random sizes through a small buffer that is emptied at random. */
static void test_stream(void **state UNUSED)
{
	enum { FRAMES = 3000, ROOM = 5000 };
	static uint8_t payload[ROOM];
	uint32_t in_random = 77, out_random = 77, random = unit_seed();
	struct frame_reader r;
	struct frame_writer w;
	struct error err;
	size_t put = 0, got = 0;

	assert_int_equal(frame_writer_init(&w, ROOM, &err), 0);
	frame_reader_init(&r, false);
	while (got < FRAMES) {
		size_t n;
		const uint8_t *bytes;
		struct frame f;

		while (put < FRAMES) {
			uint32_t next = in_random;
			const size_t size = unit_random(&next) % 1500;

			if (size > frame_writer_room(&w))
				break;
			memset(payload, (int)put, size);
			put_frame(&w, (enum frame_type)(1 + put % 14), payload, size);
			in_random = next;
			put++;
		}
		bytes = frame_writer_pending(&w, &n);
		assert_true(n <= ROOM);
		n = MIN(n, (size_t)1 + unit_random(&random) % 2000);
		for (const uint8_t *p = bytes, *end = bytes + n; p < end;) {
			size_t left = (size_t)(end - p);
			const int result = frame_reader_feed(&r, &p, &left, &f, &err);

			assert_in_range(result, 0, 1);
			if (result == 0)
				break;
			assert_int_equal(f.type, 1 + got % 14);
			assert_int_equal(f.payload_bytes, unit_random(&out_random) % 1500);
			for (size_t i = 0; i < f.payload_bytes; i++)
				assert_int_equal(f.payload[i], (uint8_t)got);
			got++;
		}
		frame_writer_sent(&w, n);
	}
	frame_reader_deinit(&r);
	frame_writer_deinit(&w);
}

static void test_no_room(void **state UNUSED)
{
	uint8_t payload[100] = {0};
	struct frame_writer w;
	struct error err;
	struct outbuf o;
	size_t n, before;

	assert_int_equal(frame_writer_init(&w, 3 * FRAME_HEADER_BYTES + 101, &err), 0);
	assert_int_equal(frame_writer_room(&w), 2 * FRAME_HEADER_BYTES + 101);
	put_frame(&w, FRAME_DATA, payload, 100);
	assert_int_equal(frame_writer_room(&w), FRAME_HEADER_BYTES + 1);
	frame_writer_pending(&w, &before);
	o = frame_begin(&w);
	put_bytes(&o, payload, FRAME_HEADER_BYTES + 2);
	assert_int_equal(frame_end(&w, FRAME_DATA, &o, &err), -ENOBUFS);
	frame_writer_pending(&w, &n);
	assert_int_equal(n, before);
	/* An empty frame fits, and has the next number: the one that failed took none. */
	put_frame(&w, FRAME_DATA, payload, 0);
	assert_int_equal(le64_get(frame_writer_pending(&w, &n) + before + 16), 1);
	put_frame(&w, FRAME_DATA, payload, 0);
	assert_int_equal(frame_writer_room(&w), 0);
	o = frame_begin(&w);
	assert_int_equal(frame_end(&w, FRAME_DATA, &o, &err), -ENOBUFS);
	frame_writer_pending(&w, &n);
	frame_writer_sent(&w, n);
	put_frame(&w, FRAME_DATA, payload, 100);
	assert_int_equal(le64_get(frame_writer_pending(&w, &n) + 16), 3);
	frame_writer_deinit(&w);
}

static void test_sizes(void **state UNUSED)
{
	static uint8_t payload[FRAME_PAYLOAD_MAX + 1];
	static const size_t sizes[] = {
		0, 1, 4072, 4073, 4096, 4097, 65536, FRAME_PAYLOAD_MAX - 1, FRAME_PAYLOAD_MAX};
	struct frame_writer w;
	struct frame_reader r;
	struct error err;
	struct frame f;
	size_t n;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31);
	assert_int_equal(frame_writer_init(&w, 3 << 20, &err), 0);
	assert_int_equal(frame_writer_room(&w), FRAME_PAYLOAD_MAX);
	frame_reader_init(&r, false);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const uint8_t *bytes;

		put_frame(&w, FRAME_DATA, payload, sizes[i]);
		bytes = frame_writer_pending(&w, &n);
		assert_int_equal(feed(&r, bytes, n - 1, &f, &err), 0);
		assert_int_equal(feed(&r, bytes + n - 1, 1, &f, &err), 1);
		assert_int_equal(f.payload_bytes, sizes[i]);
		if (sizes[i])
			assert_memory_equal(f.payload, payload, sizes[i]);
		frame_writer_sent(&w, n);
	}
	frame_reader_deinit(&r);
	frame_writer_deinit(&w);
}

/* Each field of a header whose CRC is right. */
static const struct header_row {
	const char *name;
	struct raw raw;
	int want;
} header_rows[] = {
	{"frame: takes a frame", {1, FRAME_ACK, 0, 8, 0}, 1},
	{"frame: refuses version 0", {0, FRAME_ACK, 0, 8, 0}, -ENOTSUP},
	{"frame: refuses version 2", {2, FRAME_ACK, 0, 8, 0}, -ENOTSUP},
	{"frame: refuses type 0", {1, 0, 0, 8, 0}, -EBADMSG},
	{"frame: takes the last type", {1, FRAME_TYPE_END - 1, 0, 8, 0}, 1},
	{"frame: refuses the type behind it", {1, FRAME_TYPE_END, 0, 8, 0}, -EBADMSG},
	{"frame: refuses type 0x7f", {1, 0x7f, 0, 8, 0}, -EBADMSG},
	{"frame: passes over type 0x80", {1, 0x80, 0, 8, 0}, 0},
	{"frame: passes over type 0xff", {1, 0xff, 0, 8, 0}, 0},
	{"frame: refuses a flag", {1, FRAME_ACK, 1, 8, 0}, -EBADMSG},
	{"frame: refuses the last flag", {1, FRAME_ACK, 0x8000, 8, 0}, -EBADMSG},
	{"frame: refuses a flag of an optional type", {1, 0x80, 1, 8, 0}, -EBADMSG},
	{"frame: refuses a later sequence", {1, FRAME_ACK, 0, 8, 1}, -EBADMSG},
	{"frame: refuses the last sequence", {1, FRAME_ACK, 0, 8, UINT64_MAX}, -EBADMSG},
	{"frame: refuses a payload of more than 1 MiB",
	 {1, FRAME_ACK, 0, FRAME_PAYLOAD_MAX + 1, 0},
	 -EBADMSG},
	{"frame: refuses a payload of 4 GiB", {1, FRAME_ACK, 0, UINT32_MAX, 0}, -EBADMSG},
};

static void test_header(void **state)
{
	const struct header_row *row = *state;
	uint8_t bytes[64];
	const size_t n = raw_put(bytes, &row->raw, "payload", 8);
	struct frame_reader r;
	struct error err;
	struct frame f;

	assert_int_equal(read_one(bytes, n, false, &r, &f, &err), row->want);
	if (row->want == 1)
		assert_int_equal(f.type, row->raw.type);
	if (row->want < 0)
		assert_int_equal(err.code, row->want);
	/* A length is refused before there is memory for it. */
	assert_true(r.room <= 4096);
	frame_reader_deinit(&r);
}

/* One that is passed over has its number in the sequence. */
static void test_optional(void **state UNUSED)
{
	uint8_t bytes[200];
	size_t n = raw_put(bytes, &(struct raw){1, 0x90, 0, 8, 0}, "optional", 8), at = 0;
	struct frame_reader r;
	struct error err;
	struct frame f;

	n += raw_put(bytes + n, &(struct raw){1, FRAME_ACK, 0, 8, 1}, "12345678", 8);
	n += raw_put(bytes + n, &(struct raw){1, 0xa0, 0, 0, 2}, "", 0);
	n += raw_put(bytes + n, &(struct raw){1, FRAME_GO, 0, 1, 3}, "x", 1);
	frame_reader_init(&r, false);
	for (size_t i = 0; i < n; i++) {
		if (feed(&r, bytes + i, 1, &f, &err) != 1)
			continue;
		assert_int_equal(f.type, at == 0 ? FRAME_ACK : FRAME_GO);
		at++;
	}
	assert_int_equal(at, 2);
	frame_reader_deinit(&r);
}

/* No damaged byte makes another frame of one. */
static void test_damaged(void **state UNUSED)
{
	uint8_t bytes[64];
	const size_t n = raw_put(bytes, &(struct raw){1, FRAME_TOTALS, 0, 24, 0},
				 "what it says, and so on.", 24);

	for (size_t i = 0; i < n * 8; i++) {
		struct frame_reader r;
		struct error err;
		struct frame f;
		int result;

		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		result = read_one(bytes, n, false, &r, &f, &err);
		/* A length that grew waits for the rest. */
		assert_true(result == -EBADMSG || (result == 0 && i / 8 >= 8 && i / 8 < 12));
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		frame_reader_deinit(&r);
	}
}

/* --- noise --- */

static const struct noise_row {
	const char *name;
	const char *noise;
	const char *said; /* of it, where it is told */
} noise_rows[] = {
	{"frame: passes over a line", "Last login: today\n", "Last login: today"},
	{"frame: passes over lines", "one\r\ntwo\nthree", "three"},
	{"frame: passes over the beginning of a magic", "VVMVMSVMS", "VVMVMSVMS"},
	{"frame: passes over half a magic before the magic", "VM", "VM"},
	{"frame: shows no control characters", "\x1b[31mred\x07\n", "?[31mred?"},
	{"frame: passes over bytes of all kinds", "\xff\xfe\x80", "???"},
};

static void test_noise(void **state)
{
	const struct noise_row *row = *state;
	const size_t noise_bytes = strlen(row->noise);
	uint8_t bytes[256];
	struct frame_reader r;
	struct error err;
	struct frame f;
	size_t n;

	memcpy(bytes, row->noise, noise_bytes);
	n = noise_bytes +
	    raw_put(bytes + noise_bytes, &(struct raw){1, FRAME_ACK, 0, 8, 0}, "12345678", 8);
	assert_int_equal(read_one(bytes, n, true, &r, &f, &err), 1);
	assert_int_equal(r.skipped_bytes, noise_bytes);
	assert_string_equal(r.noise, row->said);
	/* After the first frame such bytes are no noise any more. */
	assert_int_equal(feed(&r, "x", 1, &f, &err), -EBADMSG);
	frame_reader_deinit(&r);

	assert_int_equal(read_one(bytes, n, false, &r, &f, &err), -EBADMSG);
	frame_reader_deinit(&r);
}

static void test_much_noise(void **state UNUSED)
{
	static uint8_t bytes[FRAME_NOISE_MAX + 100];
	struct frame_reader r;
	struct error err;
	struct frame f;

	for (size_t more = 0; more < 2; more++) {
		const size_t noise_bytes = FRAME_NOISE_MAX + more;
		size_t n;
		int result;

		memset(bytes, 'n', noise_bytes);
		memcpy(bytes + noise_bytes - 12, "\nno program\n", 12);
		n = noise_bytes +
		    raw_put(bytes + noise_bytes, &(struct raw){1, FRAME_ACK, 0, 0, 0}, "", 0);
		result = read_one(bytes, n, true, &r, &f, &err);
		assert_int_equal(result, more ? -EBADMSG : 1);
		if (more)
			assert_non_null(strstr(err.msg, "no program"));
		frame_reader_deinit(&r);
	}
}

static void test_names(void **state UNUSED)
{
	assert_string_equal(frame_name(FRAME_HELLO), "HELLO");
	assert_string_equal(frame_name(FRAME_ABORT), "ABORT");
	for (int type = 0; type < 256; type++)
		assert_true(*frame_name((uint8_t)type));
	assert_string_equal(frame_name(0), frame_name(0xff));
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "frame: has its bytes in their places", test_layout, NULL);
	unit_add(&u, "frame: comes out as it went in, through a small buffer", test_stream, NULL);
	unit_add(&u, "frame: adds nothing where there is no room", test_no_room, NULL);
	unit_add(&u, "frame: may have up to 1 MiB", test_sizes, NULL);
	UNIT_ADD_ROWS(&u, header_rows, test_header);
	unit_add(&u, "frame: counts what it passes over", test_optional, NULL);
	unit_add(&u, "frame: isn't taken with any bit changed", test_damaged, NULL);
	UNIT_ADD_ROWS(&u, noise_rows, test_noise);
	unit_add(&u, "frame: passes over 8 KiB of noise and no more", test_much_noise, NULL);
	unit_add(&u, "frame: has a name", test_names, NULL);
	return unit_run(&u, "frame", argc, argv);
}
