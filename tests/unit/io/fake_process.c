/* A stand-in for the process room: listeners from /proc/net, ownership from /proc. */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/command.h"
#include "process/listeners.h"

static int read_table(const char *path, bool v6, uint16_t port, struct listener *out, int max)
{
    char line[512];
    int n = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    while (n < max && fgets(line, sizeof line, f) != NULL) {
        char hex[40];
        unsigned local;
        unsigned state;
        unsigned uid;
        unsigned long inode;
        if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %u %*d %lu", hex,
                   &local, &state, &uid, &inode) != 5 ||
            state != 10 || local != port) {
            continue;
        }
        unsigned char raw[16] = {0};
        for (size_t w = 0; w < strlen(hex) / 8; w++) {
            char word[9] = {0};
            memcpy(word, hex + w * 8, 8);
            uint32_t v = (uint32_t)strtoul(word, NULL, 16);
            memcpy(raw + w * 4, &v, 4);
        }
        out[n] = (struct listener){.v6 = v6, .port = port, .uid = uid, .inode = inode};
        (void)inet_ntop(v6 ? AF_INET6 : AF_INET, raw, out[n].address, sizeof out[n].address);
        out[n].wildcard = strcmp(out[n].address, "0.0.0.0") == 0 || strcmp(out[n].address, "::") == 0;
        n++;
    }
    (void)fclose(f);
    return n;
}

int listeners_find(uint16_t port, struct listener *out, int max)
{
    int n = read_table("/proc/net/tcp", false, port, out, max);
    return n + read_table("/proc/net/tcp6", true, port, out + n, max - n);
}

int process_facts(pid_t pid, struct process_facts *out)
{
    char path[64];
    int parent = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return -3;
    }
    int got = fscanf(f, "%*d (%*[^)]) %*c %d", &parent);
    (void)fclose(f);
    *out = (struct process_facts){.pid = pid, .parent = got == 1 ? parent : 0};
    return 0;
}

static bool holds(pid_t pid, uint64_t inode)
{
    char path[300];
    char link[64];
    char want[64];
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    (void)snprintf(want, sizeof want, "socket:[%llu]", (unsigned long long)inode);
    DIR *d = opendir(path);
    struct dirent *e;
    while (d != NULL && !found && (e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
        ssize_t len = readlink(path, link, sizeof link - 1);
        if (len > 0) {
            link[len] = '\0';
            found = strcmp(link, want) == 0;
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return found;
}

bool listener_in_tree(const struct listener *l, pid_t root, pid_t *pid)
{
    (void)pid;
    return holds(root, l->inode);
}
