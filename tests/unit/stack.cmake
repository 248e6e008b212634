# The stack room: definitions, dotenv, words, references, order, environment.
foreach(part definitions)
    roadie_unit_test(stack_${part}
        SOURCES stack/test_${part}.c stack/support.c DEPENDS roadie_stack)
endforeach()
