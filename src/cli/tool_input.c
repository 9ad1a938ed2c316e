/* What the small tools read. */
#include "cli/tool_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/terminal.h"

bool tool_read(struct invocation *inv, const char *path, size_t max, struct slice *text)
{
    return file_read(inv->secrets, path ? path : "-", true, max, text, &inv->err);
}

bool tool_piped(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0)
        return false;
    return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0);
}

bool tool_input(struct invocation *inv, const char *label, struct slice *text)
{
    if (tool_piped())
        return tool_read(inv, NULL, TOOL_INPUT_MAX, text);
    return inv->terminal->password(inv->terminal, inv->secrets, label, NULL, text, &inv->err);
}

bool tool_secret_argument(struct invocation *inv, int i, const char *name, const char *label,
                          struct slice *text)
{
    const char *given = arg_text(inv, i);

    if (!given)
        return tool_input(inv, label, text);
    if (!flag_bool(inv, "insecure"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "positional argument <%s> requires the '--insecure' flag", name);
    *text = slice_text(given);
    return true;
}

bool tool_digest_named(const char *name, enum digest *d)
{
    static const struct {
        const char *name;
        enum digest d;
    } NAMES[] = {
        {"sha1", DIGEST_SHA1},
        {"sha", DIGEST_SHA1},
        {"sha224", DIGEST_SHA224},
        {"sha256", DIGEST_SHA256},
        {"sha384", DIGEST_SHA384},
        {"sha512", DIGEST_SHA512},
        {"sha512-224", DIGEST_SHA512_224},
        {"sha512-256", DIGEST_SHA512_256},
        {"md5", DIGEST_MD5},
    };

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (slice_is_case(slice_text(name), NAMES[i].name)) {
            *d = NAMES[i].d;
            return true;
        }
    }
    return false;
}
