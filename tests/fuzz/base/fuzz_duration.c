/* Whatever is read as a duration prints, and reads back as the same. */
#include <stdlib.h>

#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct time_or_duration t;
    struct err e = {0};
    char out[DURATION_TEXT_MAX];
    int64_t ns, again;

    if (duration_read(text, &ns, &e)) {
        duration_put(out, ns);
        if (!duration_read(slice_text(out), &again, &e) || again != ns)
            abort();
    } else if (e.kind != ERR_MALFORMED || !e.text[0]) {
        abort();
    }
    if (time_or_duration_read(text, &t, &e))
        time_or_duration_from(&t, instant_sec(0));
    return 0;
}
