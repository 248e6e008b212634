# The bridges, and the probes of the engine that use them. Peers are real programs, or small sockets that
# misbehave (io/peer.c).
include(probe.cmake)
foreach(name address http redis resp say)
    roadie_unit_test(io_${name} SOURCES io/${name}_test.c io/peer.c DEPENDS roadie_io)
endforeach()
roadie_unit_test(io_postgres SOURCES io/postgres_test.c io/peer.c DEPENDS roadie_probe roadie_process)
target_compile_definitions(test_io_postgres PRIVATE
    ROADIE_POSTGRES_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/io/postgres_server.sh")
roadie_unit_test(io_dns SOURCES io/dns_test.c io/peer.c DEPENDS roadie_io ${CMAKE_DL_LIBS})
roadie_gnu_source(io/dns_test.c)
