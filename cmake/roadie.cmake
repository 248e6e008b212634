# Shared build rules: warnings, hardening, rooms (one static library each) and unit tests.

set(ROADIE_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wswitch-enum -Wunused-result
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation;-Wduplicated-cond;-Wduplicated-branches;-Wlogical-op;-Wimplicit-fallthrough=5>
    $<$<C_COMPILER_ID:Clang,AppleClang>:-Wcomma;-Wimplicit-fallthrough>)

add_library(roadie_flags INTERFACE)
target_compile_options(roadie_flags INTERFACE ${ROADIE_WARNINGS} -fno-strict-aliasing)
target_include_directories(roadie_flags INTERFACE ${PROJECT_SOURCE_DIR}/supervisor)
if(ROADIE_WERROR)
    target_compile_options(roadie_flags INTERFACE -Werror)
endif()
if(APPLE)
    target_compile_definitions(roadie_flags INTERFACE _DARWIN_C_SOURCE)
else()
    target_compile_definitions(roadie_flags INTERFACE _POSIX_C_SOURCE=200809L)
endif()
if(ROADIE_SANITIZE)
    target_compile_options(roadie_flags INTERFACE -fsanitize=address,undefined
                           -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(roadie_flags INTERFACE -fsanitize=address,undefined)
endif()
target_compile_options(roadie_flags INTERFACE $<$<CONFIG:Release>:-fstack-protector-strong;-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)

# roadie_room(NAME SOURCES a.c … [DEPENDS target …]): a room of supervisor/ as a static library.
function(roadie_room name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(roadie_${name} STATIC ${ARG_SOURCES})
    set_target_properties(roadie_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(roadie_${name} PUBLIC roadie_flags ${ARG_DEPENDS})
endfunction()

# roadie_gnu_source(FILE …): the few files that need a system's own calls.
function(roadie_gnu_source)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
endfunction()

# roadie_unit_test(NAME SOURCES a.c … DEPENDS target …): one cmocka binary, run by ctest.
function(roadie_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    add_executable(test_${name} ${ARG_SOURCES})
    target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS} PkgConfig::CMOCKA roadie_flags)
    target_compile_definitions(test_${name} PRIVATE
        ROADIE_CASES="${PROJECT_SOURCE_DIR}/tests/cases"
        ROADIE_BIN="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    set_target_properties(test_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME unit_${name} COMMAND test_${name})
    set_tests_properties(unit_${name} PROPERTIES TIMEOUT 120 LABELS unit)
endfunction()
