/*
 * libFuzzer target of the stack room's readers: the first byte chooses INI, dotenv or words. Built
 * where the compiler is clang: build/clang/tests/fuzz_stack -max_total_time=30
 */
#include <stddef.h>
#include <stdint.h>

#include "stack/dotenv.h"
#include "stack/ini.h"
#include "stack/ready.h"
#include "stack/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct problems problems = {0};
    struct ini_file ini = {0};
    struct dotenv env = {0};
    struct words words = {0};
    size_t offset = 0;
    if (size == 0) {
        return 0;
    }
    struct span text = {(const char *)data + 1, size - 1};
    switch (data[0] % 4) {
    case 0:
        ini_read("f", text, &arena, &ini, &problems);
        break;
    case 1:
        dotenv_parse(text, NULL, NULL, &arena, &env);
        break;
    case 2:
        (void)words_split(text, &arena, &words);
        break;
    default:
        (void)regex_complaint(text, &offset);
    }
    problems_fini(&problems);
    arena_fini(&arena);
    return 0;
}
