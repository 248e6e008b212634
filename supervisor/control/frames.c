/* Messages to frames and back (see protocol.h). Pure. */
#include "control/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MORE_FLAG 0x80000000U

static void put_header(struct buf *out, size_t len, bool more)
{
    uint32_t word = (uint32_t)len | (more ? MORE_FLAG : 0);
    unsigned char bytes[4] = {(unsigned char)(word >> 24), (unsigned char)(word >> 16),
                              (unsigned char)(word >> 8), (unsigned char)word};
    (void)buf_append(out, bytes, sizeof bytes);
}

void message_encode(const json_t *message, struct buf *out)
{
    char *text = json_dumps(message, JSON_COMPACT);
    size_t left = text == NULL ? 0 : strlen(text);
    const char *at = text;
    while (left > 0) {
        size_t len = left < FRAME_MAX ? left : FRAME_MAX;
        put_header(out, len, len < left);
        (void)buf_append(out, at, len);
        at += len;
        left -= len;
    }
    free(text);
}

static int parse_body(struct message_reader *r, json_t **out, struct fault *why)
{
    json_error_t error;
    json_t *message = json_loadb(r->body.ptr, r->body.len, JSON_REJECT_DUPLICATES, &error);
    buf_clear(&r->body);
    if (message == NULL) {
        return fault_set(why, -EPROTO, "message is not JSON: %s", error.text);
    }
    if (!json_is_object(message)) {
        json_decref(message);
        return fault_set(why, -EPROTO, "message is not a JSON object");
    }
    *out = message;
    return 1;
}

int message_next(struct message_reader *r, json_t **out, struct fault *why)
{
    while (r->in.len >= 4) {
        const unsigned char *p = (const unsigned char *)r->in.ptr;
        uint32_t word = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        size_t len = word & ~MORE_FLAG;
        bool more = (word & MORE_FLAG) != 0;
        if (len == 0 || len > FRAME_MAX) {
            return fault_set(why, -EPROTO, "frame of %zu bytes", len);
        }
        if (r->in.len < 4 + len) {
            return 0;
        }
        if (r->body.len + len > r->max) {
            return fault_set(why, -EPROTO, "message of more than %zu bytes", r->max);
        }
        (void)buf_append(&r->body, r->in.ptr + 4, len);
        buf_consume(&r->in, 4 + len);
        if (!more) {
            return parse_body(r, out, why);
        }
    }
    return 0;
}

void message_reader_fini(struct message_reader *r)
{
    buf_fini(&r->in);
    buf_fini(&r->body);
}
