# shellcheck shell=bash
# shellcheck disable=SC2154 # crash, core, vmlinux: e2e.sh sets them
# Sourced by the tests that open parts of dumps: what crash, or drgn, shows of one. Wants e2e.sh, use_core and
# use_vmlinux; sets bt, the backtrace that the vmcore itself has, and last, the log's last line.

# says FILE COMMAND...: what crash prints; drgn prints what sys, bt and log do. frames: of that the frames of bt.
says() {
    local file=$1
    shift
    if ! has_crash; then
        drgn_shows "$file" 2>&1
        return
    fi
    printf '%s\n' "$@" quit | timeout 600 "${crash[@]}" -s --zero_excluded "$vmlinux" "$file" 2>&1
}
frames() { grep -aE '^ *#[0-9]+ '; }

# shown FILE: which of panic, bt, log crash shows of it; bt as it shows it of the vmcore.
shown() {
    local said
    said=$(says "$1" sys bt log)
    grep -aqE '^ *PANIC: .+' <<<"$said" && printf 'panic '
    [[ $(frames <<<"$said") == "$bt" ]] && printf 'bt '
    grep -aqF "[" <<<"$said" && grep -aqE "^\[ *$last\]" <<<"$said" && printf 'log'
}

last=$("$vmsend" --dump-dmesg "$core" | grep '^\[' | tail -n 1 | sed -E 's/^\[ *([0-9.]+)\].*/\1/')
bt=$(says "$core" bt | frames)
