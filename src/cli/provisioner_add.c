/*
 * `step ca provisioner add`: a new entry at the end of the list.
 */
#include "cli/provisioner_edit.h"

#define TYPE_NAMES "JWK, OIDC, X5C, SSHPOP, Nebula, K8sSA, ACME, SCEP, AWS, GCP, Azure"

static bool make_entry(struct invocation *inv, const struct provisioner_type *type,
                       struct json *entry)
{
    struct arena *a = inv->arena;

    json_set(entry, a, "type", json_make_text(a, slice_text(type->written)));
    json_set(entry, a, "name", json_make_text(a, inv->args[0]));
    if (!provisioner_put_members(inv, type, entry, true) ||
        !provisioner_put_claims(inv, entry, NULL) || !provisioner_put_options(inv, type, entry))
        return false;
    provisioner_order(entry);
    return true;
}

static bool name_is_free(struct invocation *inv, const struct provisioner_file *f)
{
    for (const struct json *v = f->list->first; v; v = v->next)
        if (slice_eq(json_text(json_get(v, "name")), inv->args[0]))
            return err_set(&inv->err, ERR_EXISTS, "%s: a provisioner called '%.*s' exists already",
                           f->path, SLICE_ARG(inv->args[0]));
    return true;
}

static int run_add(struct invocation *inv)
{
    const char *type_text = flag_text(inv, "type");
    const struct provisioner_type *type = provisioner_type_find(slice_text(type_text));
    struct json *entry = json_make_object(inv->arena);
    struct provisioner_file file;

    if (!type)
        return fail_value(inv, "type", type_text, TYPE_NAMES);
    if (inv->args[0].n == 0)
        return fail_with(inv, "the name of a provisioner must not be empty");
    if (!provisioner_flags_fit(inv, type) || !provisioner_options_fit(inv, type) ||
        !provisioner_file_open(inv, &file) || !name_is_free(inv, &file) ||
        !make_entry(inv, type, entry))
        return fail(inv);
    json_append(file.list, entry);
    return provisioner_file_save(inv, &file, entry) ? 0 : fail(inv);
}

static const struct flag ADD_FLAGS[] = {
    {"type", FLAG_TEXT, "<type>",
     "The <type> of provisioner: JWK, X5C, ACME or SSHPOP. Case is ignored.", "JWK", 0},
    {0}};
static const struct flag *const ADD_SETS[] = {ADD_FLAGS,
                                              FLAGS_PROVISIONER_TYPES,
                                              FLAGS_PASSWORD,
                                              FLAGS_PROVISIONER_TEMPLATE,
                                              FLAGS_PROVISIONER_CLAIMS,
                                              FLAGS_CA_CONFIG,
                                              FLAGS_CA,
                                              NULL};

const struct command CMD_CA_PROVISIONER_ADD = {
    .name = "add",
    .summary = "add a provisioner to the authority's configuration",
    .synopsis = "<name>",
    .description =
        "Adds a provisioner to the configuration file of the authority, which has to be told to "
        "read it again (signal SIGHUP) or restarted. What would not start is refused, and the "
        "file stays as it was.\n\n"
        "Without '--ca-config' the authority is asked first whether it manages its provisioners "
        "itself; when it does not, or cannot be reached, the file in the step path is changed.",
    .arguments = "name\tThe name of the new provisioner.",
    .examples = "A JWK provisioner with a new key:\n"
                "$ step ca provisioner add ops --create\n\n"
                "One whose key is there already:\n"
                "$ step ca provisioner add ci --public-key ci.pub.json --private-key ci.json\n\n"
                "An X5C provisioner for certificates of another authority:\n"
                "$ step ca provisioner add partners --type X5C --x5c-roots partners_root.crt\n\n"
                "An ACME provisioner with certificates of at most a week:\n"
                "$ step ca provisioner add acme --type ACME --x509-max-dur 168h\n\n"
                "One by which hosts renew their SSH certificates:\n"
                "$ step ca provisioner add sshpop --type SSHPOP",
    .flag_sets = ADD_SETS,
    .rules = PROVISIONER_RULES,
    .least = 1,
    .most = 1,
    .run = run_add,
};
