/*
 * QR codes: libqrencode makes the modules, we draw them.  The PNG (RFC 2083) is grey, one bit to a
 * pixel, and its data is stored, not compressed: 5 KiB need no library.
 */
#include "cli/qr.h"

#include "base/buf.h"

#ifdef NEWEL_QRENCODE
#include <qrencode.h>

#define QUIET     4u                  /* modules around the code */
#define ROW_BYTES (QR_PIXELS / 8 + 1) /* with the filter's byte */
#define DATA      (QR_PIXELS * ROW_BYTES)

static QRcode *encode(struct arena *a, struct slice text, struct err *e)
{
    QRcode *code = slice_has_nul(text)
                       ? NULL
                       : QRcode_encodeString(arena_cstr(a, text), 0, QR_ECLEVEL_M, QR_MODE_8, 1);

    if (!code)
        err_set(e, ERR_TOO_LARGE, "QR code: %zu bytes are more than it can hold", text.n);
    return code;
}

static bool is_dark(const QRcode *code, size_t x, size_t y)
{
    size_t w = (size_t)code->width;

    return x < w && y < w && (code->data[y * w + x] & 1);
}

/* --- PNG ---------------------------------------------------------------------------------- */

/* RFC 2083 15. */
static uint32_t crc_of(struct slice s)
{
    uint32_t c = 0xffffffff;

    for (size_t i = 0; i < s.n; i++) {
        c ^= s.p[i];
        for (unsigned k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
    }
    return ~c;
}

/* RFC 1950 9. */
static uint32_t adler_of(struct slice s)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < s.n; i++) {
        a = (a + s.p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void put_chunk(struct buf *png, const char *type, struct slice data)
{
    size_t start = png->n + 4;

    buf_u32(png, (uint32_t)data.n);
    buf_text(png, type);
    buf_put(png, data);
    buf_u32(png, crc_of(slice_from(buf_slice(png), start)));
}

static void put_header(struct buf *png, struct arena *a)
{
    static const uint8_t KIND[] = {1, 0, 0, 0, 0}; /* depth 1, grey, deflate, no interlace */
    struct buf b = buf_new(a, 64);

    buf_u32(&b, QR_PIXELS);
    buf_u32(&b, QR_PIXELS);
    buf_put(&b, slice_of(KIND, sizeof(KIND)));
    put_chunk(png, "IHDR", buf_slice(&b));
}

/* zlib around one stored block. */
static void put_data(struct buf *png, struct arena *a, struct slice rows)
{
    const uint8_t start[] = {0x78,
                             0x01,
                             0x01,
                             (uint8_t)rows.n,
                             (uint8_t)(rows.n >> 8),
                             (uint8_t)~rows.n,
                             (uint8_t)(~rows.n >> 8)};
    struct buf b = buf_new(a, 64u << 10);

    _Static_assert(DATA < 65536, "one stored block");
    buf_put(&b, slice_of(start, sizeof(start)));
    buf_put(&b, rows);
    buf_u32(&b, adler_of(rows));
    put_chunk(png, "IDAT", buf_slice(&b));
}

bool qr_png(struct arena *a, struct slice text, struct slice *png, struct err *e)
{
    QRcode *code = encode(a, text, e);

    if (!code)
        return false;
    size_t w = (size_t)code->width, scale = QR_PIXELS / (w + QUIET * 2);
    if (!scale) {
        QRcode_free(code);
        return err_set(e, ERR_TOO_LARGE, "QR code: %zu bytes do not fit into %u pixels", text.n,
                       QR_PIXELS);
    }
    size_t edge = (QR_PIXELS - w * scale) / 2;
    uint8_t *rows = arena_alloc(a, DATA);
    for (size_t y = 0; y < QR_PIXELS; y++) {
        for (size_t x = 0; x < QR_PIXELS; x++) {
            bool dark =
                x >= edge && y >= edge && is_dark(code, (x - edge) / scale, (y - edge) / scale);
            rows[y * ROW_BYTES + 1 + x / 8] |= (uint8_t)(dark ? 0 : 0x80 >> x % 8);
        }
    }
    QRcode_free(code);
    struct buf b = buf_new(a, 64u << 10);
    buf_put(&b, SLICE("\x89PNG\r\n\x1a\n"));
    put_header(&b, a);
    put_data(&b, a, slice_of(rows, DATA));
    put_chunk(&b, "IEND", SLICE(""));
    *png = buf_slice(&b);
    return buf_done(&b, "PNG", e);
}

/* --- Terminal ----------------------------------------------------------------------------- */

/* Light modules are drawn: most terminals are dark. */
bool qr_lines(struct arena *a, struct slice text, struct slice *lines, struct err *e)
{
    static const char *const BLOCKS[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    QRcode *code = encode(a, text, e);
    struct buf b = buf_new(a, 256u << 10);

    if (!code)
        return false;
    size_t side = (size_t)code->width + 2 * QUIET;
    for (size_t y = 0; y < side; y += 2) {
        for (size_t x = 0; x < side; x++) {
            bool upper = x >= QUIET && y >= QUIET && is_dark(code, x - QUIET, y - QUIET);
            bool lower = x >= QUIET && y + 1 >= QUIET && is_dark(code, x - QUIET, y + 1 - QUIET);
            buf_text(&b, BLOCKS[upper][lower]);
        }
        buf_byte(&b, '\n');
    }
    QRcode_free(code);
    *lines = buf_slice(&b);
    return buf_done(&b, "QR code", e);
}

#else

static bool absent(struct err *e)
{
    return err_set(e, ERR_NOT_IMPLEMENTED,
                   "this build has no QR codes: it was made without libqrencode");
}

bool qr_png(struct arena *a, struct slice text, struct slice *png, struct err *e)
{
    (void)a, (void)text, (void)png;
    return absent(e);
}

bool qr_lines(struct arena *a, struct slice text, struct slice *lines, struct err *e)
{
    (void)a, (void)text, (void)lines;
    return absent(e);
}

#endif
