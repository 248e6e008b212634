roadie_unit_test(process_start SOURCES process/start_test.c process/bench.c DEPENDS roadie_process)
add_dependencies(test_process_start roadie-shim)
