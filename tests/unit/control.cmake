roadie_unit_test(frames SOURCES control/test_frames.c DEPENDS roadie_control_client)
