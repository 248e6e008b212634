# The bridges, and the probes of the engine that use them. Peers are real programs, or small sockets that
# misbehave (io/peer.c).
include(probe.cmake)
foreach(name address http redis resp say)
    roadie_unit_test(io_${name} SOURCES io/${name}_test.c io/peer.c DEPENDS roadie_io)
endforeach()
