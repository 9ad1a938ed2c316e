/* Signing keys by the names that ca.json has for them. */
#include "authority/key_load.h"

#include "base/uri.h"

static bool key_path(struct arena *a, struct slice name, const char **path, struct err *e)
{
    struct uri u;

    *path = arena_cstr(a, name);
    if (!slice_starts(name, "softkms:"))
        return true;
    if (!uri_read(a, name, &u, e))
        return false;
    struct slice named = uri_attribute(a, &u, "path");
    *path = named.p ? arena_cstr(a, named) : arena_cstr(a, slice_from(name, 8));
    return true;
}

/* Names of key stores that a later version opens; no file is called so. */
static bool is_file(struct slice name, struct err *e)
{
    static const char *const LATER[] = {"pkcs11",   "yubikey",  "tpmkms", "sshagentkms", "awskms",
                                        "cloudkms", "azurekms", "capi",   "mackms"};
    struct slice scheme = slice_sub(name, 0, slice_find(name, ':'));

    for (size_t i = 0; scheme.n < name.n && i < COUNT_OF(LATER); i++) {
        if (slice_is_case(scheme, LATER[i]))
            return err_set(e, ERR_NOT_IMPLEMENTED,
                           "key store \"%s\" is not supported by this version", LATER[i]);
    }
    return true;
}

bool signing_key_load(struct arena *a, struct arena *secrets, const struct key_source *from,
                      struct private_key **key, const char **path, struct err *e)
{
    struct password_source *source = from->prompt;
    struct password_fixed fixed;

    if (from->password.n > 0)
        source = password_fixed_init(&fixed, from->password);
    if (is_file(from->name, e) && key_path(a, from->name, path, e) &&
        private_key_load(secrets, *path, source, key, e))
        return true;
    return err_wrap(e, "%s", config_where(a, from->config, from->member));
}
