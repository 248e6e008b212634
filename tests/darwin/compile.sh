#!/usr/bin/env bash
# Compiles the source for macOS (arm64) without a Mac: PyPI's ziglang carries a cross compiler and Apple's headers.
# Nothing is linked or run. A file whose library headers are not to be had here is named and left out. Prints SKIP with
# the reason, and exits 0, when the compiler cannot be had.
set -eu
cd "$(dirname "$0")/../.."
version=0.13.0
venv=$PWD/build/darwin/venv
objects=$PWD/build/darwin/objects
headers=$PWD/build/darwin/headers

skip() {
    echo "SKIP: $1"
    exit 0
}

zig=$(echo "$venv"/lib/python3*/site-packages/ziglang/zig)
if [ ! -x "$zig" ]; then
    command -v python3 >/dev/null || skip "no python3 to fetch the compiler with"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv" >"$venv.log" 2>&1 || skip "python3 -m venv does not work: $(tail -1 "$venv.log")"
    "$venv/bin/pip" install -q "ziglang==$version" >"$venv.log" 2>&1 ||
        skip "ziglang $version cannot be installed: $(tail -1 "$venv.log")"
    zig=$(echo "$venv"/lib/python3*/site-packages/ziglang/zig)
fi

# Only the libraries' own headers, never the system's: those are Linux's.
mkdir -p "$objects" "$headers"
for header in uv.h uv jansson.h jansson_config.h pcre2.h ini.h hiredis curl postgresql libpq-fe.h ncurses.h; do
    for dir in /usr/include /usr/include/"$(uname -m)"-linux-gnu /usr/include/postgresql; do
        [ -e "$dir/$header" ] && ln -sfn "$dir/$header" "$headers/$header" || true
    done
done

export ZIG_GLOBAL_CACHE_DIR=$PWD/build/darwin/cache ZIG_LOCAL_CACHE_DIR=$PWD/build/darwin/cache
flags="-target aarch64-macos -std=c17 -D_DARWIN_C_SOURCE -D_FILE_OFFSET_BITS=64 -DROADIE_VERSION=\"compiled\" -Wall -Wextra
    -Wno-unused-parameter -Werror=implicit-function-declaration -Werror=incompatible-pointer-types
    -Isupervisor -isystem $headers -isystem $headers/postgresql"
[ $# -gt 0 ] || set -- supervisor
libraries='uv|jansson|pcre2|ini\.h|hiredis|curl|libpq|postgres|pg_config|ncurses|term\.h'
good=0 bad=0 left_out=0
while read -r file; do
    case $file in *_linux.c) continue ;; esac
    object=$objects/$(echo "$file" | tr / _).o
    # shellcheck disable=SC2086
    if "$zig" cc $flags -c "$file" -o "$object" >"$object.log" 2>&1; then
        good=$((good + 1))
        [ ! -s "$object.log" ] || { echo "warnings in $file:" && cat "$object.log"; }
    elif missing=$(grep -m1 -oE "'($libraries)[^']*' file not found" "$object.log"); then
        left_out=$((left_out + 1))
        echo "left out: $file ($missing)"
    else
        bad=$((bad + 1))
        echo "does not compile for macOS: $file"
        grep -E 'error:' "$object.log" | head -5
    fi
done < <(find "$@" -name '*.c' | sort)
echo "darwin: $good files compile, $bad do not, $left_out left out for want of a library's headers"
[ "$bad" -eq 0 ]
