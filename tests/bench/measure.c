/* Runs a command and tells what it took.
 *
 *   measure FILE COMMAND [ARGUMENT]...
 *
 * Writes one JSON object to FILE: seconds on the clock and of the CPU (with that of its threads and
 * children), its largest resident set in KiB, context switches of both kinds. Exits as the command
 * did. A program of its own, for what forks has to be small: a child's peak counts from what its
 * parent had. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int tell(const char *path, double wall, const struct rusage *u)
{
	FILE *out = fopen(path, "w");

	if (!out ||
	    fprintf(out,
		    "{\"wall_s\": %.6f, \"user_s\": %.6f, \"system_s\": %.6f, \"peak_kib\": %ld, "
		    "\"voluntary\": %ld, \"involuntary\": %ld}\n",
		    wall, seconds_of(u->ru_utime), seconds_of(u->ru_stime), u->ru_maxrss,
		    u->ru_nvcsw, u->ru_nivcsw) < 0 ||
	    fclose(out) != 0) {
		perror(path);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start;
	int status;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: measure FILE COMMAND [ARGUMENT]...\n", stderr);
		return 2;
	}
	start = seconds_now();
	pid = fork();
	if (pid == 0) {
		/* Some take minutes: who stops the bench means them, too. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[2], argv + 2);
		fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
		perror("measure");
		return 2;
	}
	if (tell(argv[1], seconds_now() - start, &usage) < 0)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
