/* Starting one service: what it gets, how each failure is told, how it ends by itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
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

static void test_a_crash_names_its_signal(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    char text[64];
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "crash", "11"), NULL), 0);
    BENCH_UNTIL(&b, &r, r.gone, 2000);
    assert_int_equal(r.how.signal, SIGSEGV);
    assert_int_equal(r.how.code, -1);
    assert_non_null(strstr(proc_exit_text(&r.how, text, sizeof text), "killed by SEGV"));
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

static void test_too_many_words_are_an_error_of_exec(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct proc_plan plan = run_plan();
    size_t size = 8u << 20;
    char *huge = malloc(size + 1);
    assert_non_null(huge);
    memset(huge, 'x', size);
    memcpy(huge, "BIG=", 4);
    huge[size] = '\0';
    char *envp[] = {huge, NULL};
    plan.envp = envp;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/true"), &plan), 0);
    BENCH_UNTIL(&b, &r, r.gone, 3000);
    assert_int_equal(r.stage, STAGE_EXEC);
    assert_int_equal(r.err, E2BIG);
    run_fini(&r);
    bench_close(&b);
    free(huge);
}

static void test_an_empty_program_and_a_missing_shim_are_refused_at_once(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS(""), NULL), -EINVAL);
    run_fini(&r);
    char word[] = "/bin/true";
    char *argv[] = {word, NULL};
    struct proc_plan plan = run_plan();
    struct proc_callbacks none = {0};
    struct proc *p = NULL;
    struct fault why = {0};
    plan.argv = argv;
    plan.out_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(proc_open(&b.loop, "/nonexistent/shim", &plan, &none, NULL, &p, &why),
                     -ENOENT);
    assert_non_null(strstr(fault_text(&why), "/nonexistent/shim"));
    assert_null(p);
    assert_int_equal(fcntl(plan.out_fd, F_GETFD), -1); /* taken, also now */
    bench_close(&b);
}

static void ignore_and_block_odd_signals(bool on)
{
    struct sigaction action = {.sa_handler = on ? SIG_IGN : SIG_DFL};
    sigset_t set;
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void test_a_service_finds_a_clean_place(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    char expected[64];
    char home[] = "HOME=/nowhere";
    char *envp[] = {home, NULL};
    struct proc_plan plan = run_plan();
    int leaked = open("/dev/null", O_RDONLY); /* somebody forgot O_CLOEXEC */
    plan.envp = envp;
    plan.directory = "/usr";
    plan.umask = 027;
    plan.nofile_soft = 321;
    bench_open(&b);
    ignore_and_block_odd_signals(true);
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "dumpself"), &plan), 0);
    ignore_and_block_odd_signals(false);
    (void)close(leaked);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_true(run_said(&r, "\"fds\":[0,1,2],"));
    assert_true(run_said(&r, "\"ignored\":[],\"blocked\":[],"));
    assert_true(run_said(&r, "\"umask\":23,\"nofile\":[321,"));
    assert_true(run_said(&r, "\"cwd\":\"/usr\",\"env\":[\"HOME\"]"));
    assert_true(run_said(&r, "\"ctty\":false"));
    (void)snprintf(expected, sizeof expected, "\"sid\":%d,\"pgid\":%d,", (int)r.shim, (int)r.pid);
    assert_true(run_said(&r, expected));
    run_fini(&r);
    bench_close(&b);
}

static void test_output_and_errors_keep_apart(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    int ends[2];
    char bytes[64];
    struct proc_plan plan = run_plan();
    assert_int_equal(pipe(ends), 0);
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    plan.err_fd = ends[1];
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/sh", "-c", "echo out; echo err >&2"), &plan), 0);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_string_equal(r.output.ptr, "out\n");
    assert_int_equal(read(ends[0], bytes, sizeof bytes), 4);
    assert_int_equal(read(ends[0], bytes, sizeof bytes), 0);
    (void)close(ends[0]);
    run_fini(&r);
    bench_close(&b);
}

static void test_stdin_is_empty_or_never_ends(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct proc_plan plan = run_plan();
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/sh", "-c", "cat; echo ended"), &plan), 0);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_string_equal(r.output.ptr, "ended\n");
    run_fini(&r);
    plan.stdin_open = true;
    assert_int_equal(
        run_start(&b, &r, WORDS("/bin/sh", "-c", "echo reading; cat; echo ended"), &plan), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "reading"), 2000);
    for (int i = 0; i < 20; i++) {
        bench_turn(&b, &r);
    }
    assert_false(run_said(&r, "ended"));
    proc_signal(r.proc, SIGKILL);
    BENCH_UNTIL(&b, &r, r.gone, 2000);
    run_fini(&r);
    bench_close(&b);
}

static int open_terminal(int *slave, unsigned short rows, unsigned short columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    (void)fcntl(master, F_SETFD, FD_CLOEXEC);
    (void)fcntl(master, F_SETFL, O_NONBLOCK);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    *slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*slave >= 0);
    assert_int_equal(ioctl(*slave, TIOCSWINSZ, &size), 0);
    return master;
}

static void test_a_terminal_controls_its_service(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct proc_plan plan = run_plan();
    bench_open(&b);
    plan.tty = true;
    int master = open_terminal(&plan.out_fd, 33, 77);
    assert_int_equal(
        run_start(&b, &r, WORDS("/bin/sh", "-c", BENCH_FX " dumpself; exec " BENCH_FX " winsz"),
                  &plan),
        0);
    r.read_fd = master;
    BENCH_UNTIL(&b, &r, run_said(&r, "33x77"), 2000);
    assert_true(run_said(&r, "\"ctty\":true,\"foreground\":true,\"tty\":\"/dev/pts/"));
    assert_true(run_said(&r, "\"fds\":[0,1,2],"));
    struct winsize size = {.ws_row = 20, .ws_col = 50};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "20x50"), 2000);
    assert_int_equal(write(master, "\x03", 1), 1); /* ^C reaches the foreground group */
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
    assert_int_equal(r.how.signal, SIGINT);
    run_fini(&r);
    bench_close(&b);
}

static void test_the_last_words_on_a_terminal_are_kept(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    for (int i = 0; i < 20; i++) {
        struct proc_plan plan = run_plan();
        plan.tty = true;
        int master = open_terminal(&plan.out_fd, 24, 80);
        assert_int_equal(
            run_start(&b, &r,
                      WORDS("/bin/sh", "-c", "head -c 3000 /dev/zero | tr '\\0' x; echo END"),
                      &plan),
            0);
        r.read_fd = master;
        BENCH_UNTIL(&b, &r, r.gone && r.ended, 2000);
        assert_true(run_said(&r, "xEND"));
        run_fini(&r);
    }
    bench_close(&b);
}

static void test_a_hundred_at_once_all_start_and_end(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    struct bench b;
    static struct run runs[COUNT];
    bench_open(&b);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(run_start(&b, &runs[i], WORDS(BENCH_FX, "dumpself"), NULL), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        BENCH_UNTIL(&b, &runs[i], runs[i].gone && runs[i].ended, 10000);
        assert_int_equal(runs[i].how.code, 0);
        assert_true(run_said(&runs[i], "\"fds\":[0,1,2],"));
        run_fini(&runs[i]);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status_and_end_of_tree_come_together),
        cmocka_unit_test(test_a_crash_names_its_signal),
        cmocka_unit_test(test_each_failure_names_its_stage),
        cmocka_unit_test(test_too_many_words_are_an_error_of_exec),
        cmocka_unit_test(test_an_empty_program_and_a_missing_shim_are_refused_at_once),
        cmocka_unit_test(test_a_service_finds_a_clean_place),
        cmocka_unit_test(test_output_and_errors_keep_apart),
        cmocka_unit_test(test_stdin_is_empty_or_never_ends),
        cmocka_unit_test(test_a_terminal_controls_its_service),
        cmocka_unit_test(test_the_last_words_on_a_terminal_are_kept),
        cmocka_unit_test(test_a_hundred_at_once_all_start_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
