#!/bin/sh
# consumer.sh BUILD SOURCE: installs into an empty folder and uses what is there as a stranger would: pkg-config with a C
# program, find_package, all headers from C++, the command, its man page and completion; and what the library exports.
set -eu
build=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix
cmake --install "$build" --prefix "$prefix" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }

library=$(find "$prefix" -name 'libnigh.so')
lib=$(dirname "$library")
[ -n "$(find "$lib" -name 'libnigh.so.[0-9]*' | head -n 1)" ] || { echo "no library with a version"; exit 1; }
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')
case $soname in libnigh.so.[0-9]*) ;; *) echo "soname is '$soname'"; exit 1 ;; esac

foreign=$(nm -D --defined-only "$library" | awk '$2 ~ /[A-Z]/ && $3 !~ /^nigh_/ { print $3 }')
[ -z "$foreign" ] || { echo "exported, but not nigh_*: $foreign"; exit 1; }

cat >"$folder/small.c" <<'C'
#include <nigh/nigh.h>
#include <stdio.h>

int main(void)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx) != NIGH_OK) return 1;
    printf("nigh %s knows", nigh_version());
    for (int i = 0; nigh_method_at(ctx, i); i++) printf(" %s", nigh_method_at(ctx, i)->name);
    printf("\n");
    nigh_context_free(ctx);
    return 0;
}
C
PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
moved=$(pkg-config --define-variable=prefix="$prefix" --define-variable=libdir="$lib" --define-variable=includedir="$prefix/include" --cflags --libs nigh)
# shellcheck disable=SC2086
cc -std=c99 -Wall -Wextra -Werror -pedantic "$folder/small.c" $moved -Wl,-rpath,"$lib" -o "$folder/small"
"$folder/small"
# shellcheck disable=SC2086
cc -std=c17 -Wall -Wextra -Werror "$source/examples/use_plan.c" $moved -Wl,-rpath,"$lib" -o "$folder/use_plan"
"$folder/use_plan" >"$folder/use_plan.out"
awk '$1 == "f(1)" { if ($3 < -0.36421 || $3 > -0.36419) exit 1; seen = 1 } END { exit !seen }' "$folder/use_plan.out" ||
    { cat "$folder/use_plan.out"; echo "the plan's f(1) is not -0.36420"; exit 1; }
cc -std=c17 -Wall -Wextra -Werror "$source/examples/train_network.c" $moved -Wl,-rpath,"$lib" -o "$folder/train_network"
"$folder/train_network" "$folder/digits.c" >"$folder/train_network.out"
awk '$1 == "test:" { if ($5 < 0.9) exit 1; seen = 1 } END { exit !seen }' "$folder/train_network.out" ||
    { cat "$folder/train_network.out"; echo "the trained network's accuracy is not 0.9"; exit 1; }
cc -std=c99 -Wall -c "$folder/digits.c" -o "$folder/digits.o"

{
    (cd "$prefix/include" && find nigh -name '*.h' | sort) | sed 's/.*/#include <&>/'
    echo 'int main() { return nigh_version() == nullptr; }'
} >"$folder/all.cpp"
# shellcheck disable=SC2086
c++ -std=c++17 -Wall -Wextra -Werror -pedantic "$folder/all.cpp" $moved -Wl,-rpath,"$lib" -o "$folder/all"
"$folder/all"

mkdir "$folder/find"
cp "$folder/small.c" "$folder/find"
cat >"$folder/find/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(small LANGUAGES C)
find_package(nigh 0.1 REQUIRED)
add_executable(small small.c)
target_link_libraries(small PRIVATE nigh::nigh)
CMAKE
cmake -S "$folder/find" -B "$folder/find/build" -DCMAKE_PREFIX_PATH="$prefix" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
cmake --build "$folder/find/build" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$folder/find/build/small"

"$prefix/bin/nigh" --version | head -n 1
grep -q '^.TH NIGH 1' "$prefix/share/man/man1/nigh.1"
bash -n "$prefix/share/bash-completion/completions/nigh"
bash -c '. "$1"; COMP_WORDS=(nigh pl); COMP_CWORD=1; _nigh; [ "${COMPREPLY[*]}" = plan ]' bash "$prefix/share/bash-completion/completions/nigh"
PATH=$prefix/bin:$PATH bash -c '. "$1"; COMP_WORDS=(nigh plan --err); COMP_CWORD=2; _nigh; [ "${COMPREPLY[*]}" = --error ]' bash "$prefix/share/bash-completion/completions/nigh"
echo "installed, found and used"
