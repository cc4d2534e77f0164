/* Fuzzes VMCOREINFO: any text is parsed, and each line that looks like a key is found again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "format/vmcoreinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Ask for what is in the brackets of `key` in every way. */
static void ask(const struct vmcoreinfo *vi, const char *key)
{
	AUTO_FREE char *name = strdup(key);
	char *open = strchr(name, '('), *end = strrchr(name, ')');
	uint64_t n;

	vmcoreinfo_decimal(vi, key, &n);
	if (!open || !end || end < open)
		return;
	*end = '\0';
	vmcoreinfo_symbol(vi, open + 1, &n);
	vmcoreinfo_offset(vi, open + 1, &n);
	vmcoreinfo_size(vi, open + 1, &n);
	vmcoreinfo_length(vi, open + 1, &n);
	vmcoreinfo_number(vi, open + 1, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *vi = NULL;
	AUTO_FREE char *text = malloc(size + 1);
	struct error err;
	char *rest;
	unsigned lines = 0;

	if (!text || vmcoreinfo_new(data, size, &vi, &err) < 0)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line && lines < 200;
	     line = strtok_r(NULL, "\n", &rest), lines++) {
		char *equals = strchr(line, '=');

		if (!equals)
			continue;
		*equals = '\0';
		REQUIRE(vmcoreinfo_text(vi, line));
		ask(vi, line);
	}
	return 0;
}
