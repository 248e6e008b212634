roadie_unit_test(probe SOURCES io/probe_test.c io/peer.c DEPENDS roadie_probe roadie_process)
roadie_unit_test(probe_target SOURCES io/probe_target_test.c DEPENDS roadie_probe roadie_process)
set_source_files_properties(io/probe_test.c PROPERTIES COMPILE_DEFINITIONS _DEFAULT_SOURCE)
