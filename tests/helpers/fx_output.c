/* fx: output whose loss, doubling, reordering or tearing can be seen afterwards. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fx.h"

enum { BLOCK = 65536, LINE_MAX_BYTES = 512, RATE_SLICE_MS = 10 };

static int put_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(STDOUT_FILENO, bytes, len);
        if (put <= 0) {
            return 1;
        }
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

static uint32_t crc_of(const char *bytes, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* "SEQ CRC PAYLOAD\n"; the CRC covers number and payload. Payloads of 1 to 120 letters that depend
 * on both. */
static size_t make_line(char *out, long seq, uint32_t *random)
{
    char payload[128];
    *random = *random * 1664525u + 1013904223u;
    size_t len = 1 + (*random >> 16) % 120;
    for (size_t i = 0; i < len; i++) {
        payload[i] = (char)('a' + (*random >> 8) % 26);
        *random = *random * 1664525u + 1013904223u;
    }
    payload[len] = '\0';
    char covered[192];
    int size = snprintf(covered, sizeof covered, "%ld %s", seq, payload);
    size = snprintf(out, LINE_MAX_BYTES, "%ld %08x %s\n", seq,
                    (unsigned)crc_of(covered, (size_t)size), payload);
    return (size_t)size;
}

int fx_lines(int argc, char **argv)
{
    long count = fx_number(argc, argv, 0, 1000);
    long rate = fx_number(argc, argv, 1, 0);
    uint32_t random = (uint32_t)fx_number(argc, argv, 2, 1);
    static char block[BLOCK + LINE_MAX_BYTES];
    size_t used = 0;
    long slice = rate > 0 ? (rate * RATE_SLICE_MS + 999) / 1000 : 0;
    for (long seq = 0; seq < count; seq++) {
        used += make_line(block + used, seq, &random);
        int slice_full = slice > 0 && (seq + 1) % slice == 0;
        if (used >= BLOCK || slice_full) {
            if (put_all(block, used) != 0) {
                return 1;
            }
            used = 0;
        }
        if (slice_full) {
            fx_sleep_ms(RATE_SLICE_MS);
        }
    }
    return put_all(block, used);
}

/* 0 when line is whole and number seq is in it. */
static int check_line(const char *line, long seq)
{
    char covered[LINE_MAX_BYTES];
    char payload[256];
    long found = -1;
    unsigned crc = 0;
    if (sscanf(line, "%ld %8x %255s", &found, &crc, payload) != 3) {
        (void)fprintf(stderr, "verify: line %ld is torn: %.80s\n", seq, line);
        return 1;
    }
    int size = snprintf(covered, sizeof covered, "%ld %s", found, payload);
    if (crc_of(covered, (size_t)size) != crc) {
        (void)fprintf(stderr, "verify: line %ld has other bytes than were written: %.80s\n", seq,
                      line);
        return 1;
    }
    if (found != seq) {
        (void)fprintf(stderr, "verify: %ld expected, %ld found\n", seq, found);
        return 1;
    }
    return 0;
}

int fx_verify(int argc, char **argv)
{
    FILE *in = argc > 0 && strcmp(argv[0], "-") != 0 ? fopen(argv[0], "r") : stdin;
    long expected = fx_number(argc, argv, 1, -1);
    char line[LINE_MAX_BYTES];
    long seq = 0;
    if (in == NULL) {
        perror(argv[0]);
        return 1;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        if (strchr(line, '\n') == NULL) {
            (void)fprintf(stderr, "verify: line %ld has no end\n", seq);
            return 1;
        }
        if (check_line(line, seq) != 0) {
            return 1;
        }
        seq++;
    }
    (void)printf("%ld lines\n", seq);
    if (expected >= 0 && seq != expected) {
        (void)fprintf(stderr, "verify: %ld lines expected\n", expected);
        return 1;
    }
    return seq > 0 ? 0 : 1;
}

static void fill(char *block, size_t line)
{
    memset(block, 'f', BLOCK);
    for (size_t i = line; line > 0 && i <= BLOCK; i += line) {
        block[i - 1] = '\n';
    }
}

static int put_many(const char *block, long bytes)
{
    while (bytes > 0) {
        size_t piece = bytes < BLOCK ? (size_t)bytes : BLOCK;
        if (put_all(block, piece) != 0) {
            return 1;
        }
        bytes -= (long)piece;
    }
    return 0;
}

int fx_flood(int argc, char **argv)
{
    static char block[BLOCK];
    fill(block, 64);
    return put_many(block, fx_number(argc, argv, 0, 1L << 20));
}

int fx_longline(int argc, char **argv)
{
    static char block[BLOCK];
    fill(block, 0);
    return put_many(block, fx_number(argc, argv, 0, 1L << 20)) != 0 || put_all("\n", 1) != 0;
}

int fx_bytes(int argc, char **argv)
{
    static char block[BLOCK];
    int fd = argc > 0 ? open(argv[0], O_RDONLY) : -1;
    ssize_t got = 0;
    if (fd < 0) {
        perror("fx bytes");
        return 1;
    }
    while ((got = read(fd, block, sizeof block)) > 0) {
        if (put_all(block, (size_t)got) != 0) {
            return 1;
        }
    }
    return got < 0;
}

int fx_esc(int argc, char **argv)
{
    static const char hostile[] =
        "\x1b[31mred\x1b[0m\n"
        "\x1b]0;title\x07\x1b]52;c;aGVsbG8=\x07\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\\n"
        "\x1b[2J\x1b[H\x1b[6n\x1b[?1049h\x1b[?1000h\x1b[?2004h\x1b(0\x1b[21t\n"
        "\x1bP+q544e\x1b\\\x1b_app\x1b\\\x1b^pm\x1b\\\x9b"
        "31mC1\x9d"
        "0;c1\x9c\n"
        "nul\0nul\n"
        "bad \xff\xfe\xc0\xaf \xed\xa0\x80 utf-8\n"
        "over\rwritten\b\b\b\n"
        "unfinished \x1b[3";
    (void)argc;
    (void)argv;
    return put_all(hostile, sizeof hostile - 1);
}
