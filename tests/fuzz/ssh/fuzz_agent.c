/* Answers of an agent, to each question. */
#include "ssh/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice message = slice_of(data, size), blob, format, bytes;
    struct ssh_identity *v;
    struct ssh_cert c;
    size_t n;

    if (ssh_agent_read_success(message, NULL) && size != 1)
        return 0;
    if (ssh_agent_read_signature(message, &blob, NULL))
        (void)!ssh_signature_read(blob, &format, &bytes, NULL);
    if (!ssh_agent_read_list(a, message, &v, &n, NULL))
        return 0;
    for (size_t i = 0; i < n; i++)
        (void)!ssh_cert_read(a, v[i].blob, &c, NULL);
    return 0;
}
