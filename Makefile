# vmsend, vmrecv and vmdumps. `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
# Another architecture: CROSS=aarch64-linux-gnu- is the prefix of its tools. SYSROOT=FOLDER has its libraries, as
# scripts/cross-sysroot makes one; without it they are where Debian's multiarch installs them.
CROSS ?=
SYSROOT ?=
target := $(patsubst %-,%,$(notdir $(CROSS)))
ifneq ($(CROSS),)
cross_tool = $(if $(filter default undefined,$(origin $1)),$(CROSS)$2,$($1))
CC := $(call cross_tool,CC,gcc)$(if $(SYSROOT), --sysroot=$(SYSROOT))
AR := $(call cross_tool,AR,ar)
LD := $(call cross_tool,LD,ld)
PKG_CONFIG ?= PKG_CONFIG_SYSROOT_DIR='$(SYSROOT)' \
	PKG_CONFIG_LIBDIR='$(SYSROOT)/usr/lib/$(target)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig' pkg-config
endif
BUILD ?= build$(if $(target),-$(target))
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
comma := ,

# Options of the build, all on by default; `make WITH_LZO=0` leaves one out.
WITH_LZO ?= 1
WITH_ZSTD ?= 1
WITH_LIBDEFLATE ?= 1
WITH_JANSSON ?= 1
WITH_LIBSSH2 ?= 1

packages := zlib snappy openssl
packages += $(if $(filter 1,$(WITH_LZO)),lzo2)
packages += $(if $(filter 1,$(WITH_ZSTD)),libzstd)
packages += $(if $(filter 1,$(WITH_LIBDEFLATE)),libdeflate)
packages += $(if $(filter 1,$(WITH_JANSSON)),jansson)
packages += $(if $(filter 1,$(WITH_LIBSSH2)),libssh2)

ifneq ($(filter-out clean fmt help lint uninstall,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(packages) && echo ok),ok)
$(error a library is missing: $(shell $(PKG_CONFIG) --print-errors --exists $(packages) 2>&1 | head -n 1); \
	$(if $(CROSS),give SYSROOT= (./scripts/cross-sysroot makes one),install it (./scripts/setup build)), or leave an optional one out with WITH_NAME=0)
endif
endif

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wcast-qual -Wwrite-strings -Wundef -Wpointer-arith -Wconversion -Wno-sign-conversion \
	-Wimplicit-fallthrough $(if $(DEV),-Werror)
features := -DVERSION='"$(VERSION)"' -DWITH_LZO=$(WITH_LZO) -DWITH_ZSTD=$(WITH_ZSTD) \
	-DWITH_LIBDEFLATE=$(WITH_LIBDEFLATE) -DWITH_JANSSON=$(WITH_JANSSON) -DWITH_LIBSSH2=$(WITH_LIBSSH2)
# Source fortification needs an optimised build and is at odds with the sanitizers.
# STATIC=1: programs that need no library when they run; see crashkernel. Of the linker's warnings about
# a static libc's name service one is right: it could load others' libraries, and is told not to
# (common/wire/transport_tcp.c). Packed relocations take half a megabyte less, where the linker knows them: arm64's of
# Debian 12 says that it ignores them.
STATIC ?=
features += -DSTATIC_PROGRAM=$(if $(STATIC),1,0)
packed := -Wl,-z,pack-relative-relocs
static_ldflags := -static-pie -Wl,--gc-sections \
	$(if $(STATIC),$(if $(shell echo 'int main(void){}' | $(CC) $(packed) -x c -o /dev/null - 2>&1),,$(packed))) \
	$(if $(STATIC),$(if $(findstring --no-warnings,$(shell $(LD) --help)),-Wl$(comma)--no-warnings))
# What makes a fault in memory harder to use; tests/cli/build.t looks whether the programs have it. A compiler that
# doesn't know a flag builds without it: CET is x86's, its like on arm64 has another name.
accepted = $(if $(shell printf '\043include <features.h>\n' | $(CC) -Werror -O2 $1 -x c -S -o /dev/null - 2>&1 || echo no),,$1)
hardening := -fstack-protector-strong -fPIE \
	$(foreach f,-fstack-clash-protection -ftrivial-auto-var-init=zero -fcf-protection=full \
		-mbranch-protection=standard,$(call accepted,$f)) \
	$(if $(findstring -fsanitize,$(CFLAGS)),,-U_FORTIFY_SOURCE \
		$(or $(call accepted,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2))

all_cflags := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(warnings) $(hardening) $(features) \
	-iquote . -iquote include -pthread -MMD -MP $(shell $(PKG_CONFIG) --cflags $(packages)) $(CFLAGS)
# A program needs those of the libraries that it uses.
all_ldflags := $(if $(STATIC),$(static_ldflags),-pie) -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
libs := $(shell $(PKG_CONFIG) $(if $(STATIC),--static) --libs $(packages)) $(if $(STATIC),-lstdc++)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$1' '$2')

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $1))
# A folder's sources are found; a new file, or a new folder, needs no line here.
sources_in = $(sort $(shell find $1 -name '*.c'))
# The files of libraries that this build leaves out.
without = $(if $(filter 1,$(WITH_$1)),,%/codec_$2.o)
codecs_left_out := $(call without,LZO,lzo) $(call without,ZSTD,zstd) \
	$(if $(filter 1,$(WITH_LIBDEFLATE)),%/codec_zlib.o,%/codec_libdeflate.o)
common_objects := $(filter-out $(codecs_left_out),$(call objects,$(call sources_in,common)))
# The files that know libssh2.
ssh_objects := $(call objects,$(patsubst %,sender/transport/ssh_%.c,channel connect hostkey auth))
sender_objects := $(filter-out %/main.o $(if $(filter 1,$(WITH_LIBSSH2)),,$(ssh_objects)), \
	$(call objects,$(call sources_in,sender)))
receiver_objects := $(filter-out %/main.o,$(call objects,$(call sources_in,receiver)))
archives := $(BUILD)/libsender.a $(BUILD)/libreceiver.a $(BUILD)/libcommon.a
programs := $(BUILD)/vmsend $(BUILD)/vmrecv $(BUILD)/vmdumps

unit_tests := $(patsubst %.c,$(BUILD)/%,$(call sources_in,tests/unit))
fuzz_targets := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
test_tools := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
bench_tools := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
test_preloads := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/preload/*.c))

.PHONY: all
all: $(programs)

$(BUILD)/vmsend: $(BUILD)/obj/sender/main.o $(BUILD)/libsender.a $(BUILD)/libcommon.a
$(BUILD)/vmrecv: $(BUILD)/obj/receiver/main.o $(BUILD)/libreceiver.a $(BUILD)/libcommon.a
$(BUILD)/vmdumps: $(BUILD)/obj/receiver/dumps/main.o $(BUILD)/libreceiver.a $(BUILD)/libcommon.a
$(programs):
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(BUILD)/libcommon.a: $(common_objects)
$(BUILD)/libsender.a: $(sender_objects)
$(BUILD)/libreceiver.a: $(receiver_objects)
$(archives):
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# The flags are part of what an object depends on: a build with others begins anew.
flags_file := $(BUILD)/flags
flags_text := $(CC) $(all_cflags) $(all_ldflags)
$(shell mkdir -p $(BUILD))
ifneq ($(file <$(flags_file)),$(flags_text))
$(file >$(flags_file),$(flags_text))
endif

$(BUILD)/obj/%.o: %.c $(flags_file)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# vmsend for the initramfs of a crash kernel: one file, without symbols, and nothing else to copy.
crashkernel := $(BUILD)-crashkernel/vmsend
.PHONY: crashkernel
crashkernel:
	+$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)-crashkernel STATIC=1 LDFLAGS='$(LDFLAGS) -s' \
		CFLAGS='$(CFLAGS) -ffunction-sections -fdata-sections' $(crashkernel)
	$(Q)scripts/bench/size $(crashkernel) $(if $(CROSS),,$(wildcard $(BUILD)/vmsend))

.PHONY: clean
clean:
	rm -rf $(BUILD) build-*

# --- tests -------------------------------------------------------------------------------------------

test_libs = $(archives) $(shell $(PKG_CONFIG) --libs cmocka) $(libs)

test_support := $(call objects,tests/lib/*.c)

# Objects that only a test is made of are kept for the next time.
.SECONDARY:

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(test_support) $(archives)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(test_libs)

$(BUILD)/tests/tools/bigcore: $(call objects,tests/lib/kernel.c tests/lib/corefile.c)
$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o $(archives)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(libs) $(shell $(PKG_CONFIG) --libs libkdumpfile)

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(archives)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o %.a,$^) $(libs)

$(BUILD)/tests/preload/%.so: tests/preload/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(warnings) -O2 -g -fPIC -shared -o $@ $< -ldl

# A fuzz target replays its corpus in any build; FUZZER=1 (clang) makes it search.
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(test_support) \
		$(archives)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $(filter-out \
		$(if $(FUZZER),%/replay.o),$(filter %.o,$^)) $(test_libs)

# --- running them --------------------------------------------------------------------------------------

# `make check T=flat` runs the tests whose names contain flat; V=1 shows each result.
T ?=
JOBS ?= 2
named = $(if $(T),$(strip $(foreach t,$1,$(if $(findstring $(T),$(notdir $t)),$t))),$1)
# One run of prove, so one summary. env runs what has a #! and what is a program alike.
prove = $(if $(call named,$1),BUILD=$(BUILD) prove --exec env --timer -j$(JOBS) $(if $(V),--verbose) \
	$(call named,$1),@echo "no test has '$(T)' in its name"; false)

check_tests = tests/model/run $(unit_tests) $(wildcard tests/cli/*.t) scripts/check-includes
# The longest first.
dump_tests = tests/e2e/readers.t $(filter-out %/readers.t,$(wildcard tests/e2e/*.t))
# With roundtrip.t first: the longest. Damaged streams make no threads meet.
sanitized_tests = tests/e2e/roundtrip.t $(if $(findstring address,$(CFLAGS)),tests/e2e/damage.t) \
	$(unit_tests) tests/cli/corpus.t tests/cli/vmrecv.t

# What tests/cli uses beside the programs.
check_needs = $(test_preloads) $(BUILD)/tests/tools/bigcore

.PHONY: check check-dumps sanitized covered
check: all $(check_needs) $(call named,$(unit_tests)) $(if $(filter %/corpus.t,$(call named,$(check_tests))),$(fuzz_targets))
	$(Q)$(call prove,$(check_tests))

covered: all $(check_needs) $(unit_tests) $(fuzz_targets)
	$(Q)$(call prove,$(filter-out tests/model/run tests/cli/build.t,$(check_tests)))

check-dumps: all $(test_tools) $(test_preloads) $(BUILD)/tests/bench/bareloop
	$(Q)$(call prove,$(dump_tests))

# What a sanitizer build runs; see asan and tsan. The test tools need no sanitizer.
sanitized: all $(unit_tests) $(fuzz_targets)
	$(Q)$(call prove,$(sanitized_tests))

SANITIZER_CC ?= clang
sanitize = +$(MAKE) BUILD=build-$1 CC='$(SANITIZER_CC)' CFLAGS='-O1 -g -fno-omit-frame-pointer \
	-fno-sanitize-recover=all -fsanitize=$2' TOOLS=$(BUILD) JOBS=$(JOBS) sanitized

.PHONY: asan tsan check-asan check-tsan
asan check-asan: $(test_tools) $(test_preloads)
	$(call sanitize,asan,address$(comma)undefined)
tsan check-tsan: $(test_tools) $(test_preloads)
	$(call sanitize,tsan,thread)

# The unit tests of another architecture's build, by user-mode emulation: make CROSS=... SYSROOT=... emulated
EMULATOR ?= qemu-$(firstword $(subst -, ,$(target)))-static $(if $(SYSROOT),-L $(SYSROOT))
.PHONY: emulated check-arm64
emulated: all $(call named,$(unit_tests))
	$(Q)$(if $(call named,$(unit_tests)),BUILD=$(BUILD) prove --exec '$(EMULATOR)' --timer -j$(JOBS) \
		$(if $(V),--verbose) $(call named,$(unit_tests)),echo "no test has '$(T)' in its name"; false)

check-arm64:
	+$(Q)sysroot=$$(scripts/cross-sysroot aarch64-linux-gnu) && \
		$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu- SYSROOT="$$sysroot" BUILD=build-aarch64-linux-gnu emulated

# Everything in full.
.PHONY: soak matrix model
soak: all $(test_tools) $(test_preloads) $(unit_tests) $(BUILD)/tests/bench/bareloop
	$(Q)FULL=1 $(call prove,$(unit_tests))
	$(Q)FULL=1 $(call prove,$(dump_tests))
	$(Q)FULL=1 VMSEND_DUMP=k61-1g BUILD=$(BUILD) prove --exec env --timer tests/e2e/streams.t
	$(Q)tests/model/run --full

# Other kernels' dumps, and a newer suite's readers.
matrix: all $(test_tools) $(test_preloads)
	$(Q)$(call prove,$(wildcard tests/matrix/*.t))

# More guests that crash: each takes minutes.
.PHONY: e2e
e2e: all $(test_tools)
	$(Q)BUILD=$(BUILD) prove --exec env --timer $(if $(V),--verbose) $(call named,tests/e2e/crashkernel.t \
		$(wildcard tests/guest/*.t))

model:
	$(Q)prove --exec env --verbose tests/model/run

# Faults under 150 dumps, an hour (docs/FAULTS.md): SEED=7 for others, FAULTS='--only 23' for a part.
FAULTS ?=
.PHONY: faults
faults: all $(test_preloads)
	$(Q)tests/faults/campaign --build $(BUILD) --jobs $(JOBS) $(FAULTS)

# Against makedumpfile, half an hour and more; BENCH='--levels 31 --codecs lzo' for a part of it
# (scripts/bench/pages --help). Not part of any check: its results are times.
BENCH ?=
.PHONY: bench bench-large bench-tools bench-wire
bench-tools: $(bench_tools)
bench: all $(bench_tools)
	$(Q)scripts/bench/pages --build $(BUILD) $(BENCH)

# Links, transports and vmrecv, as root; BENCH='--what link --mbits 1000' for a part of it.
bench-wire: all $(bench_tools)
	$(Q)scripts/bench/wire --build $(BUILD) $(BENCH)

# Against makedumpfile, machines with much memory, made up one by one in /dev/shm: each takes 1.1 GiB there.
# Against makedumpfile in line: with threads it takes up to thirty times the CPU.
LARGE ?= 64G 1T
bench-large: all $(bench_tools) $(BUILD)/tests/tools/bigcore
	$(Q)folder=$$(mktemp -d /dev/shm/vmsend-large.XXXXXX) && trap 'rm -rf "$$folder"' EXIT && \
	for size in $(LARGE); do for kind in idle cache thp; do \
		core=$$folder/$$kind-$$size && $(BUILD)/tests/tools/bigcore $$kind $$size "$$core" && \
		scripts/bench/pages --build $(BUILD) --dump "$$core" --what filter,dump --levels 31 --codecs lzo \
			--threads 2 --its-threads 0 --to stream --newest only --out $(BUILD)/bench-large $(BENCH) && rm "$$core" || exit 1; \
	done; done

# What vmsend takes in crash kernels, beside makedumpfile and ssh: the tables of docs/CRASHKERNEL.md, an hour.
TABLES ?=
.PHONY: crash-tables
crash-tables: all $(bench_tools) crashkernel
	$(Q)scripts/bench/crashkernel --build $(BUILD) --into docs/CRASHKERNEL.md $(TABLES)

# Search with each fuzz target. What is found beyond the corpus stays in build-fuzz/found.
FUZZ_SECONDS ?= 60
.PHONY: fuzz fuzz-search
fuzz:
	+$(Q)$(MAKE) BUILD=build-fuzz FUZZER=1 CC=clang CFLAGS='-O1 -g -fno-sanitize-recover=all \
		-fsanitize=address,undefined,fuzzer-no-link' fuzz-search
fuzz-search: $(fuzz_targets)
	$(Q)for target in $(call named,$(fuzz_targets)); do \
		name=$${target##*/} && mkdir -p $(BUILD)/found/$$name && \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
			-artifact_prefix=$(BUILD)/found/ $(BUILD)/found/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

# --- looking at the source ------------------------------------------------------------------------------

c_sources = $(shell find common include sender receiver tests -name '*.[ch]')

# cppcheck knows neither the cleanup attribute nor mmap() without a file: leaks and the
# like are for the sanitizers and the compilers to find. readdir() of a stream of one's own is safe.
cppcheck_blind := $(addprefix --suppress=,memleak resourceLeak uninitvar \
	invalidFunctionArg missingIncludeSystem readdirCalled)

.PHONY: lint fmt cover
lint:
	$(Q)clang-format --dry-run --Werror $(c_sources)
	scripts/check-scripts
	scripts/check-includes
	mandoc -Tlint -Wwarning docs/*.8
	cppcheck --quiet --error-exitcode=1 --std=c11 --library=posix --inline-suppr \
		--enable=warning,portability,performance $(cppcheck_blind) -I. -Iinclude \
		common sender receiver

fmt:
	clang-format -i $(c_sources)

# Lines that the tests run (those of `make check`, but for the model), by file.
cover:
	-+$(Q)$(MAKE) BUILD=build-cover CC=gcc CFLAGS='-O0 -g --coverage' covered
	$(Q)find build-cover/obj/common build-cover/obj/sender build-cover/obj/receiver -name '*.gcda' | xargs gcov -n | \
		awk -F"['%:]" '/^File/ { f = $$2 } /^Lines/ && f ~ /^(common|sender|receiver)\/[a-z0-9_\/]+\.c$$/ { printf "%6.1f %%  %s\n", $$2, f; f = "" }' | \
		sort -u

# --- installing ------------------------------------------------------------------------------------------

# Where the sshd of a dump server finds vmrecv, and who debugs kernels both: an ordinary user's PATH has no sbin.
bindir := $(PREFIX)/bin
sbindir := $(PREFIX)/sbin
mandir := $(PREFIX)/share/man
docdir := $(PREFIX)/share/doc/vmsend
completiondir := $(PREFIX)/share/bash-completion/completions
# For the initramfs of a crash kernel (docs/KDUMP.md): scripts/kdump, and vmsend as one file if it was made.
sharedir := $(PREFIX)/share/vmsend
libdir := $(PREFIX)/lib/vmsend
kdump_files := $(shell cd scripts/kdump && find . -type f ! -name kdump-setup -printf '%P\n')

# Where an operator puts links to these, as docs/KDUMP.md has it, and what may name them: with a link that leads
# nowhere, initramfs-tools and dracut make an image without vmsend and say nothing.
initramfs_links := /etc/initramfs-tools/hooks/vmsend /etc/initramfs-tools/scripts/init-premount/vmsend \
	/usr/lib/dracut/modules.d/95vmsend /etc/kdump/pre.d/vmsend
initramfs_settings := /etc/kdump.conf /etc/dracut.conf /etc/dracut.conf.d/*.conf

.PHONY: install uninstall
install: all
	for d in $(bindir) $(sbindir) $(mandir)/man8 $(docdir) $(completiondir); do install -d "$(DESTDIR)$$d" || exit; done
	install -m 755 $(programs) "$(DESTDIR)$(bindir)"
	install -m 755 scripts/kdump/kdump-setup "$(DESTDIR)$(sbindir)/vmsend-kdump-setup"
	install -m 644 scripts/completion/vmdumps "$(DESTDIR)$(completiondir)"
	install -m 644 $(wildcard docs/*.8) "$(DESTDIR)$(mandir)/man8"
	install -m 644 $(wildcard docs/*.md docs/*.svg) "$(DESTDIR)$(docdir)"
	for f in $(kdump_files); do \
		mode=644 && if [ -x scripts/kdump/$$f ]; then mode=755; fi && \
		install -D -m $$mode scripts/kdump/$$f "$(DESTDIR)$(sharedir)/$$f" || exit; \
	done
	if [ -e $(crashkernel) ]; then install -D -m 755 $(crashkernel) "$(DESTDIR)$(libdir)/vmsend"; fi

uninstall:
	for f in $(addprefix $(bindir)/,$(notdir $(programs))) $(sbindir)/vmsend-kdump-setup \
		$(completiondir)/vmdumps $(addprefix $(mandir)/man8/,$(notdir $(wildcard docs/*.8))); do rm -f "$(DESTDIR)$$f" || exit; done
	rm -rf "$(DESTDIR)$(docdir)" "$(DESTDIR)$(sharedir)" "$(DESTDIR)$(libdir)"
	@for link in $(initramfs_links); do \
		case $$(readlink "$(DESTDIR)$$link") in $(sharedir)/*) \
			rm "$(DESTDIR)$$link" && echo "removed $$link: the next initramfs has no vmsend";; esac; \
	done
	@for file in $$(grep -ls vmsend $(addprefix "$(DESTDIR)",$(initramfs_settings))); do \
		echo "$$file still names vmsend: make the crash kernel's initramfs anew without it"; \
	done

.PHONY: help
help:
	@printf '%s\n' \
		'make               vmsend, vmrecv, vmdumps in BUILD=build; V=1 shows commands' \
		'make DEV=1         warnings are errors' \
		'make WITH_LZO=0    without a library; WITH_ZSTD, WITH_LIBDEFLATE, ...' \
		'make crashkernel   vmsend as one static file for an initramfs, and its size' \
		'make check         tests that need no vmcore; T=NAME: with NAME in their names' \
		'make CROSS=aarch64-linux-gnu- SYSROOT=FOLDER   for another architecture' \
		'make check-arm64   unit tests of an arm64 build, emulated (T=NAME)' \
		'make check-dumps   tests on real vmcores, made by scripts/lab (T=NAME)' \
		'make asan, tsan    tests under sanitizers: address and undefined, thread' \
		'make soak          check-dumps in full, and the model: an hour' \
		'make matrix        other kernels, newer readers' \
		'make e2e           crash guests, and bring their dumps home through what breaks' \
		'make bench         against makedumpfile (BENCH=--help)' \
		'make bench-large   the same with up to 1 TiB of memory (LARGE=12T)' \
		'make bench-wire    links of several speeds, transports, vmrecv (as root)' \
		'make crash-tables  the same in crash kernels (TABLES=--help)' \
		'make model         the models of the pipeline and of sessions' \
		'make faults        break links, programs and disks under dumps, an hour (SEED=N)' \
		'make fuzz          search, FUZZ_SECONDS=60 for each target (T=NAME)' \
		'make lint, fmt     look at the style; format the C sources' \
		'make cover         lines that the tests run' \
		'make install       to PREFIX=/usr/local below DESTDIR=; uninstall' \
		'make clean         remove what was built' \
		'./scripts/check    all that CI runs: set-up, build, tests'
