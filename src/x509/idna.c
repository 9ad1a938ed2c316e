/* One call of libidn2 behind a bound. */
#include "x509/idna.h"

#include <idn2.h>

#define NAME_MAX_OCTETS 1024

/* STD3, checked by us: libidn2 drops what it does not like instead of refusing it. */
static bool ascii_fits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool fine = c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!fine)
            return false;
    }
    return true;
}

/* Lower case, nothing to convert. */
static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x80 || (s.p[i] >= 'A' && s.p[i] <= 'Z'))
            return false;
    }
    return slice_search(s, SLICE("--")) == s.n;
}

bool idna_lookup(struct arena *a, struct slice name, struct slice *ascii)
{
    char *out = NULL;

    if (name.n > NAME_MAX_OCTETS || slice_has_nul(name) || !ascii_fits(name))
        return false;
    if (is_plain(name)) {
        *ascii = name;
        return true;
    }
    int rc = idn2_lookup_u8((const uint8_t *)arena_cstr(a, name), (uint8_t **)&out,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
    if (rc != IDN2_OK)
        return false;
    *ascii = arena_copy(a, slice_text(out));
    idn2_free(out);
    return ascii_fits(*ascii);
}
