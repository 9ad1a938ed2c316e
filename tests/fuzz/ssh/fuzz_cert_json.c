/* Certificates as JSON: what is read can be signed, or is refused with a reason. */
#include "ssh/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct json *v = json_read(a, slice_of(data, size), &JSON_API, NULL, NULL);
    struct ssh_cert_json c;
    struct err e = {0};

    if (!v)
        return 0;
    bool read = ssh_cert_from_json(a, v, &c, &e);
    if (read ? c.cert.type != SSH_USER && c.cert.type != SSH_HOST : e.kind != ERR_MALFORMED)
        __builtin_trap();
    return 0;
}
