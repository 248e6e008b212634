# The base room: numbers, bytes, arena, faults, problems, tables, clock.
roadie_unit_test(base SOURCES base/test_base.c DEPENDS roadie_base)
