/*
 * filterways VMCORE LEVEL - filter a vmcore in chunks of every size and with different numbers of
 * workers, and compare the sets of pages that stay. Prints their size; exit status 1 if they
 * differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../sender/filter.h"
#include "../../sender/kmodel.h"
#include "../../sender/pageset.h"
#include "../../sender/remarks.h"
#include "../../sender/vmcore.h"

int main(int argc, char **argv)
{
	static const unsigned threads[] = {0, 1, 2, 5};
	const unsigned level = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	struct pageset *first = NULL;
	struct filter_result first_result = {0};
	struct remarks remarks = {0};
	struct vmcore *core = NULL;
	struct error err = {0};
	struct kmodel km;
	unsigned ways = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: filterways VMCORE LEVEL\n");
		return 2;
	}
	if (vmcore_open(argv[1], VMCORE_ACCESS_MMAP, &core, &err) < 0) {
		fprintf(stderr, "filterways: %s\n", err.msg);
		return 1;
	}
	kmodel_init(&km, core, page_classes_of_level(level), &remarks);
	for (unsigned bits = FILTER_CHUNK_BITS_MIN; bits <= FILTER_CHUNK_BITS_MAX; bits++) {
		const struct filter_setup setup = {.km = &km,
						   .exclude = page_classes_of_level(level),
						   .threads = threads[bits % ARRAY_LEN(threads)],
						   .chunk_bits = bits};
		struct filter_result result;
		struct pageset *pages = NULL;

		if (filter_run(&setup, &pages, &result, &remarks, &err) < 0) {
			fprintf(stderr, "filterways: %s\n", err.msg);
			return 1;
		}
		if (!first) {
			first = pages;
			first_result = result;
		} else if (memcmp(pageset_bytes(first), pageset_bytes(pages),
				  (size_t)(pageset_mapnr(first) + 7) / 8) != 0 ||
			   memcmp(&first_result, &result, sizeof(result)) != 0) {
			fprintf(stderr, "filterways: chunks of 2^%u pages, %u workers: differs\n",
				bits, setup.threads);
			return 1;
		}
		ways++;
		if (pages != first)
			pageset_free(pages);
	}
	printf("%llu pages in %u ways\n", (unsigned long long)pageset_count(first), ways);
	pageset_free(first);
	kmodel_deinit(&km);
	vmcore_free(core);
	return 0;
}
