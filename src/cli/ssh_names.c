/*
 * Names out of a key id: "Joe.Doe@example.com" is the account joedoe, and people who know
 * "Joe.Doe" or the whole address mean the same one (docs/reference/ssh-client.md "Principals").
 */
#include "cli/ssh_common.h"

static struct slice local_part(struct slice key_id)
{
    size_t at = slice_rfind(key_id, '@');

    return slice_sub(key_id, 0, at);
}

static bool continues_a_character(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* One character of an account's name; 0: none. */
static uint8_t account_letter(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (uint8_t)(byte - 'A' + 'a');
    if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-')
        return byte;
    return byte == '.' || continues_a_character(byte) ? 0 : '_';
}

struct slice ssh_account(struct arena *a, struct slice key_id)
{
    struct slice local = local_part(key_id);
    uint8_t *out = arena_alloc(a, local.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < local.n; i++) {
        uint8_t letter = account_letter(local.p[i]);
        if (letter)
            out[n++] = letter;
    }
    return slice_of(out, n);
}

size_t ssh_usual_principals(struct arena *a, uint32_t type, struct slice key_id,
                            struct slice out[SSH_USUAL_MAX])
{
    struct slice local = local_part(key_id);
    size_t n = 0;

    if (type == SSH_HOST) {
        out[0] = key_id;
        return 1;
    }
    struct slice account = ssh_account(a, key_id);
    if (account.n > 0)
        out[n++] = account;
    if (local.n > 0 && !slice_eq_case(local, account) && !slice_eq(local, key_id))
        out[n++] = local;
    if (!slice_eq(key_id, account))
        out[n++] = key_id;
    return n;
}

bool ssh_name_check(const char *what, struct slice name, struct err *e)
{
    if (name.n == 0)
        return err_set(e, ERR_MALFORMED, "%s must not be empty", what);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return err_set(e, ERR_MALFORMED, "%s '%.*s' has a control character", what,
                           SLICE_ARG(name));
    return true;
}
