# The stack room: definitions, dotenv, words, references, order, environment.
foreach(part definitions dotenv text spec environ properties)
    roadie_unit_test(stack_${part}
        SOURCES stack/test_${part}.c stack/support.c stack/escapes.c DEPENDS roadie_stack)
endforeach()
if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND ROADIE_SANITIZE)
    # Compiled again, so that the fuzzer sees which branches an input takes.
    set(room ${PROJECT_SOURCE_DIR}/supervisor/stack)
    add_executable(fuzz_stack ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_stack.c ${room}/dotenv.c
                   ${room}/ini.c ${room}/regex.c ${room}/text.c ${room}/words.c)
    target_compile_options(fuzz_stack PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_stack PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_stack PRIVATE roadie_base PkgConfig::INIH roadie_flags)
    set_target_properties(fuzz_stack PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endif()
