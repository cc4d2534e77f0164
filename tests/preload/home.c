/* LD_PRELOAD: the password file says that whoever runs this lives in HOME_OF_TEST. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

int getpwuid_r(uid_t uid, struct passwd *entry, char *buf, size_t size, struct passwd **result)
{
	const char *home = getenv("HOME_OF_TEST"), *user = getenv("USER_OF_TEST");
	const size_t home_bytes = home ? strlen(home) + 1 : 0;

	*result = NULL;
	if (!home || !user || home_bytes + strlen(user) + 1 > size)
		return 0;
	memcpy(buf, home, home_bytes);
	strcpy(buf + home_bytes, user);
	*entry = (struct passwd){.pw_name = buf + home_bytes, .pw_uid = uid, .pw_dir = buf};
	*result = entry;
	return 0;
}
