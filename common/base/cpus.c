/* The number of CPUs, and their instructions for hashes.
 * Doesn't know what they are for. */
#include "base/cpus.h"

#include <sched.h>
#ifdef __x86_64__
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#include <unistd.h>

#include "base/compiler.h"

enum {
	CPUS_MAX = 1 << 20, /* a hundred times what Linux can be built for */
};

unsigned cpus_at_hand(void)
{
	long n = 0;

	/* The kernel refuses a set that is smaller than its own, and some have more CPUs than
	 * cpu_set_t has bits. */
	for (unsigned cpus = CPU_SETSIZE; n == 0 && cpus <= CPUS_MAX; cpus *= 2) {
		const size_t bytes = CPU_ALLOC_SIZE(cpus);
		cpu_set_t *set = CPU_ALLOC(cpus);

		if (!set)
			break;
		if (sched_getaffinity(0, bytes, set) == 0)
			n = CPU_COUNT_S(bytes, set);
		CPU_FREE(set);
	}
	if (n <= 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return (unsigned)MAX(n, 1L);
}

bool cpus_have_sha256(void)
{
#ifdef __x86_64__
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & HWCAP_SHA2;
#else
	return false;
#endif
}
