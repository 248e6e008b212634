# The bridges, and the probes of the engine that use them. Peers are real programs, or small sockets that
# misbehave (io/peer.c).
include(probe.cmake)
foreach(name address http postgres redis resp say)
    roadie_unit_test(io_${name} SOURCES io/${name}_test.c io/peer.c DEPENDS roadie_io)
endforeach()
target_compile_definitions(test_io_postgres PRIVATE
    ROADIE_POSTGRES_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/io/postgres_server.sh")
