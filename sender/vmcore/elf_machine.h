/* Machines by their number in an ELF header. */
#ifndef ELF_MACHINE_H
#define ELF_MACHINE_H

#include <stdint.h>

/* What `uname -m` says on a 64-bit machine of this e_machine, little-endian where there are both;
 * "unknown" where that isn't known. */
const char *elf_machine_name(uint16_t machine);

#endif
