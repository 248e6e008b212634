roadie_unit_test(fsm SOURCES engine/test_fsm.c DEPENDS roadie_engine)
roadie_unit_test(policy SOURCES engine/test_policy.c DEPENDS roadie_engine)
roadie_unit_test(gap SOURCES engine/test_gap.c DEPENDS roadie_engine)
