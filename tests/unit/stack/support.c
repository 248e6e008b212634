/* See support.h. */
#include "support.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char home[] = "HOME=/nonexistent";
static char greeting[] = "GREETING=hello";
static char empty[] = "EMPTY=";
static char *no_environ[] = {home, greeting, empty, NULL};

void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    const char *base = getenv("TMPDIR");
    (void)snprintf(b->directory, sizeof b->directory, "%s/roadie-stack-XXXXXX",
                   base != NULL && strlen(base) < 30 ? base : "/tmp");
    assert_non_null(mkdtemp(b->directory));
}

static void bench_forget(struct bench *b)
{
    spec_free(b->spec);
    b->spec = NULL;
    problems_fini(&b->problems);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char child[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        struct stat st;
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode)) {
            remove_tree(child);
        } else {
            (void)unlink(child);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

void bench_fini(struct bench *b)
{
    bench_forget(b);
    remove_tree(b->directory);
}

void bench_write_bytes(const struct bench *b, const char *name, const void *bytes, size_t len)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", b->directory, name);
    for (char *slash = path + strlen(b->directory) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

void bench_write(const struct bench *b, const char *name, const char *text)
{
    bench_write_bytes(b, name, text, strlen(text));
}

int bench_load(struct bench *b, struct spec_request request)
{
    bench_forget(b);
    if (request.directory == NULL) {
        request.directory = b->directory;
    }
    if (request.environ == NULL) {
        request.environ = no_environ;
    }
    b->rc = spec_load(&request, &b->spec, &b->problems, &b->why);
    return b->rc;
}

int bench_load_text(struct bench *b, const char *text)
{
    bench_write(b, "roadie.ini", text);
    return bench_load(b, (struct spec_request){0});
}

char *bench_problems(const struct bench *b)
{
    struct buf out = {0};
    problems_print(&b->problems, &out);
    return out.ptr != NULL ? buf_take(&out) : mem_strdup("");
}

char *read_whole(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    struct buf out = {0};
    char chunk[4096];
    size_t got = 0;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        (void)buf_append(&out, chunk, got);
    }
    (void)fclose(file);
    *len = out.len;
    return out.ptr != NULL ? buf_take(&out) : mem_strdup("");
}
