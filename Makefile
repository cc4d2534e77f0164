# vmsend and vmrecv. `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
CC ?= gcc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config

# Options of the build, all on by default; `make WITH_LZO=0` leaves one out.
WITH_LZO ?= 1
WITH_ZSTD ?= 1
WITH_LIBDEFLATE ?= 1
WITH_JANSSON ?= 1

packages := zlib snappy
packages += $(if $(filter 1,$(WITH_LZO)),lzo2)
packages += $(if $(filter 1,$(WITH_ZSTD)),libzstd)
packages += $(if $(filter 1,$(WITH_LIBDEFLATE)),libdeflate)
packages += $(if $(filter 1,$(WITH_JANSSON)),jansson)

ifneq ($(filter-out clean help install,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(packages) && echo ok),ok)
$(error a library is missing: $(shell $(PKG_CONFIG) --print-errors --exists $(packages) 2>&1 | head -n 1); \
	install it (./scripts/setup build), or leave an optional one out with WITH_NAME=0)
endif
endif

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wcast-qual -Wwrite-strings -Wundef -Wpointer-arith -Wconversion -Wno-sign-conversion \
	-Wimplicit-fallthrough $(if $(DEV),-Werror)
features := -DVERSION='"$(VERSION)"' -DWITH_LZO=$(WITH_LZO) -DWITH_ZSTD=$(WITH_ZSTD) \
	-DWITH_LIBDEFLATE=$(WITH_LIBDEFLATE) -DWITH_JANSSON=$(WITH_JANSSON)
# Source fortification needs an optimised build and is at odds with the sanitizers.
hardening := -fstack-protector-strong -fPIE \
	$(if $(findstring -fsanitize,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)

all_cflags := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(warnings) $(hardening) $(features) \
	-iquote include -pthread -MMD -MP $(shell $(PKG_CONFIG) --cflags $(packages)) $(CFLAGS)
all_ldflags := -pie -pthread -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
libs := $(shell $(PKG_CONFIG) --libs $(packages))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$1' '$2')

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $1))
common_objects := $(call objects,common/*.c)
sender_objects := $(filter-out %/main.o,$(call objects,sender/*.c))
receiver_objects := $(filter-out %/main.o,$(call objects,receiver/*.c))
archives := $(BUILD)/libsender.a $(BUILD)/libreceiver.a $(BUILD)/libcommon.a
programs := $(BUILD)/vmsend $(BUILD)/vmrecv

unit_tests := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
fuzz_targets := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
test_tools := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
test_preloads := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/preload/*.c))

.PHONY: all
all: $(programs)

$(BUILD)/vmsend: $(BUILD)/obj/sender/main.o $(BUILD)/libsender.a $(BUILD)/libcommon.a
$(BUILD)/vmrecv: $(BUILD)/obj/receiver/main.o $(BUILD)/libreceiver.a $(BUILD)/libcommon.a
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

.PHONY: clean
clean:
	rm -rf $(BUILD) build-*

# --- tests -------------------------------------------------------------------------------------------

test_libs = $(archives) $(shell $(PKG_CONFIG) --libs cmocka) $(libs)

test_support := $(call objects,tests/lib/*.c)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(test_support) $(archives)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(test_libs)

$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(shell $(PKG_CONFIG) --libs libkdumpfile)

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
		$(if $(FUZZER),%/replay.o),$(filter %.o,$^)) $(archives) $(libs)
