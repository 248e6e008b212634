/* Starting and ending one service: facts, failures, signals, trees. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench.h"

static void test_exit_status_and_end_of_tree_come_together(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/sh", "-c", "echo hello; exit 3"), NULL), 0);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_int_equal(r.started, 1);
    assert_int_equal(r.exited, 1);
    assert_int_equal(r.how.code, 3);
    assert_int_equal(r.how.signal, 0);
    assert_string_equal(r.output.ptr, "hello\n");
    run_fini(&r);
    bench_close(&b);
}

static void fails_at(const char *program, const char *directory, enum proc_stage stage, int err)
{
    struct bench b;
    struct run r;
    struct proc_plan plan = run_plan();
    plan.directory = directory;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS(program), &plan), 0);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_int_equal(r.started, 0);
    assert_int_equal(r.exited, 0);
    assert_int_equal(r.failed, 1);
    assert_int_equal(r.stage, stage);
    assert_int_equal(r.err, err);
    run_fini(&r);
    bench_close(&b);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_each_failure_names_its_stage(void **state)
{
    (void)state;
    char dir[] = "/tmp/roadie-stage.XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    fails_at("/nonexistent/program", "/", STAGE_EXEC, ENOENT);
    fails_at("no-such-program-anywhere", "/", STAGE_EXEC, ENOENT);
    fails_at("/bin/true", "/nonexistent/directory", STAGE_CHDIR, ENOENT);
    fails_at("/bin/true", "/etc/passwd", STAGE_CHDIR, ENOTDIR);
    (void)snprintf(path, sizeof path, "%s/plain", dir);
    write_file(path, "text\n", 0644);
    fails_at(path, "/", STAGE_EXEC, EACCES);
    write_file(path, "text without a header\n", 0755);
    fails_at(path, "/", STAGE_EXEC, ENOEXEC);
    write_file(path, "#!/nonexistent/interpreter\n", 0755);
    fails_at(path, "/", STAGE_INTERPRETER, ENOENT);
    fails_at(dir, "/", STAGE_EXEC, EACCES);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status_and_end_of_tree_come_together),
        cmocka_unit_test(test_each_failure_names_its_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
