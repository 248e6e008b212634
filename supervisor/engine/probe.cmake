# The probes, a library of their own inside the engine's room.
roadie_room(probe
    SOURCES probe.c probe_ask.c probe_docket.c probe_redis.c probe_target.c
    DEPENDS roadie_base roadie_stack roadie_process roadie_io)
