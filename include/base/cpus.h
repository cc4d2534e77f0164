/* The number of CPUs, and their instructions for hashes. */
#ifndef CPUS_H
#define CPUS_H

#include <stdbool.h>

/* The number of CPUs that this process may run on, 1 and more, on machines of any size. */
unsigned cpus_at_hand(void);

/* Whether the CPUs have instructions for SHA-256. On 64-bit CPUs without them, SHA-512 takes a
 * third less time for a byte. */
bool cpus_have_sha256(void);

#endif
