# The stack room's secret_texts when it is there, else a stand-in.
if(TARGET roadie_stack)
    set(LOGS_SECRETS)
else()
    set(LOGS_SECRETS logs/secrets_stand_in.c)
endif()
foreach(part store rotation recovery reader view redact)
    roadie_unit_test(logs_${part}
        SOURCES logs/${part}.c logs/harness.c logs/cases.c ${LOGS_SECRETS}
        DEPENDS roadie_logs PkgConfig::JANSSON Threads::Threads)
endforeach()
