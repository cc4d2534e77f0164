/* Names of hosts.
 * Doesn't know whose they are. */
#include "base/hostname.h"

#include <string.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool host_name_is_good(const char *name)
{
	size_t n = 0;

	if (!is_alnum(*name) && *name != ':')
		return false;
	for (; name[n]; n++)
		if (n + 1 == HOST_NAME_ROOM || (!is_alnum(name[n]) && !strchr("._:%-", name[n])))
			return false;
	return true;
}
