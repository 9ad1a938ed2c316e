/* The small readers: RFC 3339 times, IP addresses, base64, hexadecimal, numbers, UTF-8.  What is
 * read prints and reads back as the same value; base64 and (but for case) hex as the same text. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void times(struct arena *a, struct slice text)
{
    struct instant t, again;

    if (!rfc3339_read(text, &t))
        return;
    check(rfc3339_read(rfc3339_nano(a, t), &again) && instant_cmp(t, again) == 0);
    http_date(a, t);
}

static void addresses(struct arena *a, struct slice text)
{
    struct ip ip, again;

    if (ip_read(text, &ip))
        check(ip_read(ip_text(a, &ip), &again) && ip_eq(&ip, &again));
}

static void encodings(struct arena *a, struct slice text)
{
    static const enum base64_form FORMS[] = {BASE64_STD, BASE64_STD_RAW, BASE64_URL,
                                             BASE64_URL_RAW};
    struct slice bytes;

    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        if (base64_read(a, FORMS[i], text, &bytes))
            check(slice_eq(base64_text(a, FORMS[i], bytes), text));
        check(base64_read(a, FORMS[i], base64_text(a, FORMS[i], text), &bytes));
        check(slice_eq(bytes, text));
    }
    if (base64_read(a, BASE64_PEM, text, &bytes))
        check(bytes.n <= text.n);
    if (hex_read(a, text, &bytes))
        check(slice_eq_case(hex_text(a, bytes), text));
}

/* A record is one line, and JSON of it is UTF-8, whatever the client sent. */
static void records(struct slice text)
{
    static const enum log_format FORMATS[] = {LOG_TEXT, LOG_JSON, LOG_COMMON};
    struct log_fields f = {0};

    log_put_text(&f, "path", text);
    log_put_texts(&f, "list", &text, 1);
    for (size_t i = 0; i < COUNT_OF(FORMATS); i++) {
        CLEANUP(buf_free) struct buf b = buf_new(NULL, 1 << 20);
        log_record_format(&b, FORMATS[i], LOG_LEVEL_INFO, instant_sec(0), &f);
        check(buf_ok(&b) && slice_find(buf_slice(&b), '\n') == b.n - 1);
        check(FORMATS[i] != LOG_JSON || slice_is_utf8(buf_slice(&b)));
    }
}

static void paths(struct arena *a, struct slice text)
{
    char *clean = path_clean(a, arena_cstr(a, text));

    check(strcmp(path_clean(a, clean), clean) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, size);
    uint64_t v;

    times(a, text);
    addresses(a, text);
    encodings(a, text);
    records(text);
    paths(a, text);
    if (slice_to_u64(text, &v))
        check(text.n > 0);
    check(slice_trim_end_unicode(text).n <= text.n);
    return 0;
}
