foreach(part start tree command listeners)
    roadie_unit_test(process_${part} SOURCES process/${part}_test.c process/bench.c DEPENDS roadie_process)
    target_compile_definitions(test_process_${part} PRIVATE _GNU_SOURCE) # environ, posix_openpt
    add_dependencies(test_process_${part} roadie-shim fx)
    if(NOT APPLE)
        add_dependencies(test_process_${part} oracle lone_server)
    endif()
endforeach()
