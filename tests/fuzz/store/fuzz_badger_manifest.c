/* MANIFEST of Badger: records, and the protobuf messages in them (their checksum made right). */
#include "base/buf.h"
#include "store/badger_part.h"
#include "store/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void parse(struct slice text)
{
    struct legacy_place place = {.path = "fuzz"};
    struct manifest m = {0};
    struct err e = {0};

    (void)!manifest_parse(&m, &place, "MANIFEST", text, &e);
    manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 1u << 20);
    struct slice input = slice_of(data, n);

    parse(input);
    buf_text(&b, "Bdgr");
    buf_u32(&b, n & 1 ? 4 : 7);
    buf_u32(&b, (uint32_t)n);
    buf_u32(&b, crc32c(0, input));
    buf_put(&b, input);
    if (buf_ok(&b))
        parse(buf_slice(&b));
    return 0;
}
