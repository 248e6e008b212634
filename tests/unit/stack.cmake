# The stack room: definitions, dotenv, words, references, order, environment.
foreach(part definitions dotenv text spec environ properties)
    roadie_unit_test(stack_${part}
        SOURCES stack/test_${part}.c stack/support.c stack/escapes.c DEPENDS roadie_stack)
endforeach()
