set(process_parts start tree command listeners)
if(NOT APPLE)
    list(APPEND process_parts death) # the oracle is a subreaper
endif()
foreach(part ${process_parts})
    roadie_unit_test(process_${part} SOURCES process/${part}_test.c process/bench.c DEPENDS roadie_process)
    target_compile_definitions(test_process_${part} PRIVATE _GNU_SOURCE) # environ, posix_openpt
    add_dependencies(test_process_${part} roadie-shim fx)
    if(NOT APPLE)
        add_dependencies(test_process_${part} oracle lone_server)
    endif()
endforeach()
if(NOT APPLE)
    # 200 servers killed at random moments, up to 200 ms each.
    set_tests_properties(unit_process_death PROPERTIES TIMEOUT 240)
endif()

# Every file for macOS as well (cross-compiled, not run); prints SKIP where the compiler cannot be had.
add_test(NAME source_darwin COMMAND ${PROJECT_SOURCE_DIR}/tests/darwin/compile.sh)
set_tests_properties(source_darwin PROPERTIES LABELS source TIMEOUT 600)
