/*
 * The streaming writer: each call prints one member, the writer knows whether a comma goes in
 * front and which bracket closes.  Opening more than 64 levels is a mistake of the program and
 * makes the buffer `failed`, as every other overflow does.
 */
#include "json/json.h"

struct json_writer json_writer(struct buf *b)
{
    return (struct json_writer){.b = b};
}

static void begin(struct json_writer *w, const char *name)
{
    bool comma = w->comma;

    w->comma = true;
    if (name)
        json_put_name(w->b, comma, name);
    else if (comma)
        buf_byte(w->b, ',');
}

static void open(struct json_writer *w, const char *name, uint8_t opener, uint8_t closer)
{
    begin(w, name);
    if (w->depth >= COUNT_OF(w->closers)) {
        w->b->failed = true;
        return;
    }
    buf_byte(w->b, opener);
    w->closers[w->depth++] = closer;
    w->comma = false;
}

void json_open(struct json_writer *w, const char *name)
{
    open(w, name, '{', '}');
}

void json_open_list(struct json_writer *w, const char *name)
{
    open(w, name, '[', ']');
}

void json_close(struct json_writer *w)
{
    if (w->depth == 0) {
        w->b->failed = true;
        return;
    }
    buf_byte(w->b, w->closers[--w->depth]);
    w->comma = true;
}

void json_member_text(struct json_writer *w, const char *name, struct slice text)
{
    begin(w, name);
    json_put_text(w->b, text);
}

void json_member_time(struct json_writer *w, const char *name, struct instant t)
{
    begin(w, name);
    json_put_time(w->b, t);
}

void json_member_int(struct json_writer *w, const char *name, int64_t v)
{
    begin(w, name);
    json_put_int(w->b, v);
}

void json_member_uint(struct json_writer *w, const char *name, uint64_t v)
{
    begin(w, name);
    json_put_uint(w->b, v);
}

void json_member_bool(struct json_writer *w, const char *name, bool v)
{
    begin(w, name);
    buf_text(w->b, v ? "true" : "false");
}

void json_member_null(struct json_writer *w, const char *name)
{
    begin(w, name);
    buf_text(w->b, "null");
}

void json_member_raw(struct json_writer *w, const char *name, struct slice json)
{
    begin(w, name);
    buf_put(w->b, json);
}

void json_member_tree(struct json_writer *w, const char *name, const struct json *v)
{
    begin(w, name);
    if (v)
        json_print(w->b, v, NULL);
    else
        buf_text(w->b, "null");
}
