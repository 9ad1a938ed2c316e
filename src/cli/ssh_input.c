/* Keys and certificates of OpenSSH in files. */
#include "base/encode.h"
#include "base/file.h"
#include "cli/ssh.h"

#define INPUT_MAX (1u << 20)

static bool read_input(struct invocation *inv, const char *path, struct slice *text, struct err *e)
{
    return file_read(inv->arena, path, true, INPUT_MAX, text, e);
}

static const char *shown_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

bool ssh_input_line(struct invocation *inv, const char *path, struct ssh_line *line, struct err *e)
{
    struct slice text;

    if (!read_input(inv, path, &text, e))
        return false;
    return ssh_line_read(inv->arena, text, line, e) || err_wrap(e, "%s", shown_name(path));
}

static bool read_blob(struct arena *a, struct slice text, struct slice *blob, struct slice *comment,
                      struct err *e)
{
    struct ssh_line line;

    *comment = SLICE("");
    if (base64_read(a, BASE64_PEM, text, blob) && blob->n > 0)
        return true;
    if (!ssh_line_read(a, text, &line, e))
        return false;
    *blob = line.blob;
    *comment = line.comment;
    return true;
}

static bool read_cert(struct arena *a, struct slice blob, struct ssh_cert *cert, struct err *e)
{
    struct ssh_key key;

    if (!ssh_blob_is_cert(blob) && ssh_key_read(a, blob, &key, NULL))
        return err_set(e, ERR_MALFORMED, "expected an SSH certificate, found a key of type %s",
                       ssh_key_type_name(key.kind));
    return ssh_cert_read(a, blob, cert, e);
}

bool ssh_input_cert(struct invocation *inv, const char *path, struct ssh_cert *cert,
                    struct slice *comment, struct err *e)
{
    struct slice text, blob, said;

    if (!read_input(inv, path, &text, e))
        return false;
    if (!read_blob(inv->arena, text, &blob, &said, e) || !read_cert(inv->arena, blob, cert, e))
        return err_wrap(e, "%s", shown_name(path));
    if (comment)
        *comment = said;
    return true;
}
