/* Placeholder. */
#include "info.h"

enum exit_status info_files(const struct options *options)
{
	(void)options;
	return EXIT_FAILED;
}
