/*
 * `step ca provisioner update`: an entry is found by its name and changed where flags say so; what
 * no flag speaks of stays, unknown members included.
 */
#include "cli/provisioner_edit.h"

static bool rename_entry(struct invocation *inv, struct json *entry)
{
    const char *name = flag_text(inv, "name");

    if (!flag_set(inv, "name"))
        return true;
    if (!*name)
        return err_set(&inv->err, ERR_MALFORMED, "missing value for flag '--name'");
    json_set(entry, inv->arena, "name", json_make_text(inv->arena, slice_text(name)));
    return true;
}

static bool change(struct invocation *inv, const struct provisioner_file *f, struct json *entry)
{
    struct slice text = json_text(json_get(entry, "type"));
    const struct provisioner_type *type = provisioner_type_find(text);
    struct claims in_force;

    if (!type)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: provisioner '%.*s' has the unknown type '%.*s'", f->path,
                       SLICE_ARG(inv->args[0]), SLICE_ARG(text));
    if (!provisioner_flags_fit(inv, type) || !provisioner_options_fit(inv, type) ||
        !provisioner_claims(inv, f, entry, &in_force) ||
        !provisioner_put_members(inv, type, entry, false) ||
        !provisioner_put_claims(inv, entry, &in_force) || !rename_entry(inv, entry) ||
        !provisioner_put_options(inv, type, entry))
        return false;
    provisioner_order(entry);
    return true;
}

static int run_update(struct invocation *inv)
{
    struct provisioner_file file;
    struct json *entry;

    if (!provisioner_file_open(inv, &file))
        return fail(inv);
    entry = provisioner_file_find(inv, &file, inv->args[0]);
    if (!entry || !change(inv, &file, entry) || !provisioner_file_save(inv, &file, entry))
        return fail(inv);
    return 0;
}

static const struct flag UPDATE_FLAGS[] = {
    {"name", FLAG_TEXT, "<name>", "The new <name> of the provisioner.", NULL, FLAG_NO_ENV},
    {"remove-challenge", FLAG_TEXTS, "<challenge>",
     "A <challenge> that an ACME provisioner no longer offers. Can be given several times.", NULL,
     0},
    {"remove-attestation-format", FLAG_TEXTS, "<format>",
     "An attestation <format> that an ACME provisioner no longer accepts. Can be given several "
     "times.",
     NULL, 0},
    {0}};
static const struct flag *const UPDATE_SETS[] = {UPDATE_FLAGS,
                                                 FLAGS_PROVISIONER_TYPES,
                                                 FLAGS_PASSWORD,
                                                 FLAGS_PROVISIONER_TEMPLATE,
                                                 FLAGS_PROVISIONER_CLAIMS,
                                                 FLAGS_CA_CONFIG,
                                                 FLAGS_CA,
                                                 NULL};

const struct command CMD_CA_PROVISIONER_UPDATE = {
    .name = "update",
    .summary = "change a provisioner in the authority's configuration",
    .synopsis = "<name>",
    .description =
        "Changes a provisioner in the configuration file of the authority, which has to be told "
        "to read it again (signal SIGHUP) or restarted. What would not start is refused, and the "
        "file stays as it was.\n\n"
        "Flags with one value replace it, flags that can be given several times add to the list; "
        "'--remove-…' takes away first. An empty duration removes the provisioner's own one, an "
        "empty '--private-key' the encrypted key. '--create' replaces the key by a new one.",
    .arguments = "name\tThe name of the provisioner.",
    .examples = "Certificates of a week, and no more renewals:\n"
                "$ step ca provisioner update ops --x509-max-dur 168h --disable-renewal\n\n"
                "SSH certificates of a working day for users:\n"
                "$ step ca provisioner update ops --ssh --ssh-user-default-dur 8h "
                "--ssh-user-max-dur 8h\n\n"
                "A new name, a new key:\n"
                "$ step ca provisioner update ops --name operations --create",
    .flag_sets = UPDATE_SETS,
    .rules = PROVISIONER_RULES,
    .least = 1,
    .most = 1,
    .run = run_update,
};
