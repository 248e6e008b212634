/* Text to numbers, strictly: the whole span must be the number, in range. libc only, pure. */
#ifndef ROADIE_BASE_NUMBERS_H
#define ROADIE_BASE_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Decimal digits only. -EINVAL for other text, -ERANGE outside min…max. */
int parse_u64(struct span text, uint64_t min, uint64_t max, uint64_t *out);
/* 1…65535. */
int parse_port(struct span text, uint16_t *out);
/* "500ms", "3s", "2m", "1h", also "1m30s" and "1.5s"; a unit is required except for 0. Milliseconds. */
int parse_duration_ms(struct span text, uint64_t *out);
/* "4096", "64k", "10m", "1g" (powers of 1024, either case). Bytes. */
int parse_size(struct span text, uint64_t *out);
/* yes/no, true/false, on/off, 1/0. */
int parse_bool(struct span text, bool *out);
/* "TERM", "SIGTERM", "15"; 0 < signal < 65. */
int parse_signal(struct span text, int *out);
/* "TERM" for SIGTERM; "RTMIN+1" style names and "?" are in a static table, so the result is never freed. */
const char *signal_name(int signal);
/* "850ms", "4.2s", "3m12s", "2h05m", "3d04h" into out; returns out. */
const char *format_duration(uint64_t ms, char *out, size_t size);
/* "512", "64k", "9M", "1.2G" into out; returns out. */
const char *format_size(uint64_t bytes, char *out, size_t size);

#endif
