/*
 * `step ca policy`: the commands.  The words of a command say which list it changes; so there is
 * one function for all lists, and tables made by macros give each its place and its help.
 */
#include "cli/policy.h"

#define SHOWN_MAX (4u << 20)

static const char NONE[] = "certificate issuance policy does not exist";

/* --- Words ---------------------------------------------------------------------------------- */

static bool word_is(struct slice word, const char *text)
{
    return slice_is(word, text);
}

/* "step ca policy authority ssh host allow dns": where in a list of words one stands. */
static bool find_word(const struct invocation *inv, const char *const *words, size_t n,
                      size_t *found)
{
    struct slice rest = slice_text(inv->path), word;

    while (slice_split(&rest, ' ', &word))
        for (size_t i = 0; i < n; i++)
            if (words[i] && word_is(word, words[i])) {
                *found = i;
                return true;
            }
    return false;
}

bool policy_words_read(const struct invocation *inv, struct policy_words *w)
{
    static const char *const LEVELS[] = {"authority", "provisioner", "acme"};
    static const char *const USES[] = {
        [POLICY_X509] = "x509", [POLICY_SSH_USER] = "user", [POLICY_SSH_HOST] = "host"};
    static const char *const SIDES[] = {"deny", "allow"};
    static const char *const KINDS[] = {
        [POLICY_CN] = "cn",       [POLICY_DNS] = "dns", [POLICY_IP] = "ip",
        [POLICY_EMAIL] = "email", [POLICY_URI] = "uri", [POLICY_PRINCIPAL] = "principal"};
    size_t level = 0, use = 0, side = 0, kind = 0;
    bool found = find_word(inv, LEVELS, COUNT_OF(LEVELS), &level);

    find_word(inv, USES, COUNT_OF(USES), &use);
    find_word(inv, SIDES, COUNT_OF(SIDES), &side);
    find_word(inv, KINDS, COUNT_OF(KINDS), &kind);
    *w = (struct policy_words){.level = (enum policy_level)level,
                               .use = (enum policy_use)use,
                               .allow = side == 1,
                               .kind = (enum policy_kind)kind};
    return found;
}

/* --- Running -------------------------------------------------------------------------------- */

static bool show(struct policy_target *t, const struct json *policy)
{
    struct invocation *inv = t->inv;
    struct buf b = buf_new(inv->arena, SHOWN_MAX);

    json_print(&b, policy_tree_shown(policy, inv->arena, t->level != LEVEL_ACME), "   ");
    buf_byte(&b, '\n');
    if (!buf_done(&b, "the policy", &inv->err))
        return false;
    out_put(inv, buf_slice(&b));
    return true;
}

/* Says what may not have been meant, once: when this command brought it about. */
static void note_doubt(struct policy_target *t, const struct policy_words *w, const char *before)
{
    const char *now = policy_tree_doubt(t->policy, t->inv->arena, w);

    if (now && (!before || !slice_is(slice_text(now), before)))
        note(t->inv, "warning: %s", now);
}

static bool change_rules(struct policy_target *t, const struct policy_words *w)
{
    struct invocation *inv = t->inv;
    bool drop = flag_bool(inv, "remove"), changed = false;

    for (int i = 0; i < inv->n_args; i++) {
        struct slice rule = slice_trim(inv->args[i]);
        bool did = drop ? policy_tree_drop(t->policy, inv->arena, w, rule)
                        : policy_tree_add(t->policy, inv->arena, w, rule);
        if (!did)
            note(inv, "'%.*s' is %s", SLICE_ARG(rule), drop ? "not in the list" : "there already");
        changed |= did;
    }
    return changed;
}

/* Without a rule and without wildcards nothing is left to keep. */
static bool save(struct policy_target *t)
{
    bool empty = policy_tree_prune(t->policy);

    return policy_target_save(t, empty ? NULL : t->policy);
}

static int run_rule(struct invocation *inv)
{
    struct policy_target t;
    struct policy_words w;
    bool ok = policy_words_read(inv, &w) && policy_target_open(inv, w.level, &t);

    if (ok) {
        const char *before = policy_tree_doubt(t.policy, inv->arena, &w);
        ok = !change_rules(&t, &w) || save(&t);
        if (ok)
            note_doubt(&t, &w, before);
        ok = ok && show(&t, t.policy);
    }
    policy_target_close(&t);
    return ok ? 0 : fail(inv);
}

static int run_wildcards(struct invocation *inv)
{
    struct policy_target t;
    struct policy_words w;
    bool ok = policy_words_read(inv, &w) && policy_target_open(inv, w.level, &t);

    if (ok) {
        policy_tree_wildcards(t.policy, inv->arena, w.allow);
        ok = ((!t.there && !w.allow) || save(&t)) && show(&t, t.policy);
    }
    policy_target_close(&t);
    return ok ? 0 : fail(inv);
}

static int run_view(struct invocation *inv)
{
    struct policy_target t;
    struct policy_words w;
    bool ok = policy_words_read(inv, &w) && policy_target_open(inv, w.level, &t);

    if (ok && !t.there)
        out_line(inv, "%s", NONE);
    else
        ok = ok && show(&t, t.policy);
    policy_target_close(&t);
    return ok ? 0 : fail(inv);
}

static int run_remove(struct invocation *inv)
{
    struct policy_target t;
    struct policy_words w;
    bool ok = policy_words_read(inv, &w) && policy_target_open(inv, w.level, &t);

    if (ok && !t.there)
        ok = err_set(&inv->err, ERR_NOT_FOUND, "%s", NONE);
    ok = ok && policy_target_save(&t, NULL);
    policy_target_close(&t);
    if (!ok)
        return fail(inv);
    out_line(inv, "policy deleted");
    return 0;
}

/* --- Flags ---------------------------------------------------------------------------------- */

static const struct flag REMOVE_FLAG[] = {
    {"remove", FLAG_BOOL, NULL, "Take the rules out of the list instead of putting them in.", NULL,
     FLAG_NO_ENV},
    {0}};
static const struct flag PROVISIONER_FLAG[] = {
    {"provisioner", FLAG_TEXT, "<name>", "The <name> of the provisioner that the policy is for.",
     NULL, 0},
    {0}};
static const struct flag KEY_FLAGS[] = {
    {"provisioner", FLAG_TEXT, "<name>", "The <name> of the ACME provisioner that has the key.",
     NULL, 0},
    {"eab-key-id", FLAG_TEXT, "<id>",
     "The <id> of the external account key, as 'step ca acme eab list' shows it.", NULL,
     FLAG_NO_ENV},
    {"eab-key-reference", FLAG_TEXT, "<reference>",
     "The <reference> of the external account key; '--eab-key-id' goes before it.", NULL,
     FLAG_NO_ENV},
    {"ca-config", FLAG_FILE, "<file>",
     "The authority's configuration <file>, which names the database. Default: config/ca.json in "
     "the step path.",
     NULL, 0},
    {0}};

static const struct flag_rule PROVISIONER_NEEDED[] = {{RULE_REQUIRED, "provisioner", NULL}, {0}};
static const struct flag_rule KEY_NEEDED[] = {
    {RULE_REQUIRED, "provisioner", NULL}, {RULE_ONE_OF, "eab-key-id", "eab-key-reference"}, {0}};

static const struct flag *const authority_SETS[] = {FLAGS_CA_CONFIG, FLAGS_CA, NULL};
static const struct flag *const provisioner_SETS[] = {PROVISIONER_FLAG, FLAGS_CA_CONFIG, FLAGS_CA,
                                                      NULL};
static const struct flag *const acme_SETS[] = {KEY_FLAGS, FLAGS_CONTEXT, NULL};
static const struct flag *const authority_RULE_SETS[] = {REMOVE_FLAG, FLAGS_CA_CONFIG, FLAGS_CA,
                                                         NULL};
static const struct flag *const provisioner_RULE_SETS[] = {REMOVE_FLAG, PROVISIONER_FLAG,
                                                           FLAGS_CA_CONFIG, FLAGS_CA, NULL};
static const struct flag *const acme_RULE_SETS[] = {REMOVE_FLAG, KEY_FLAGS, FLAGS_CONTEXT, NULL};

/* --- Words of the help ----------------------------------------------------------------------- */

#define authority_NEEDS    NULL
#define provisioner_NEEDS  PROVISIONER_NEEDED
#define acme_NEEDS         KEY_NEEDED
#define authority_SAMPLE   ""
#define provisioner_SAMPLE " --provisioner ops"
#define acme_SAMPLE        " --provisioner acme --eab-key-reference web01"
#define authority_EFFECT                                                                           \
    "It changes 'authority.policy' in the authority's configuration file. The authority has to "   \
    "be "                                                                                          \
    "told to read the file again (signal SIGHUP) or restarted."
#define provisioner_EFFECT                                                                         \
    "It changes 'options.policy' of the provisioner in the authority's configuration file. The "   \
    "authority has to be told to read the file again (signal SIGHUP) or restarted. What the "      \
    "authority's own policy refuses stays refused."
#define acme_EFFECT                                                                                \
    "It changes the policy of one external account key in the authority's database, and runs "     \
    "where that is. The policy holds for the orders of the account that was bound with the key, "  \
    "at once. What the policies of provisioner and authority refuse stays refused."

#define x509_PATH "x509"
#define host_PATH "ssh host"
#define user_PATH "ssh user"
#define x509_WHAT "certificates"
#define host_WHAT "SSH certificates of hosts"
#define user_WHAT "SSH certificates of users"

#define cn_WHAT    "common names"
#define cn_FORM    "name\tA common name; capitals do not matter.\n"
#define cn_EXAMPLE "'Lab Root'"
#define dns_WHAT   "DNS names"
#define dns_FORM                                                                                   \
    "name\tA DNS name, or '*.' and a DNS name for all names with exactly one label more.\n"
#define dns_EXAMPLE       "'*.lab.test'"
#define ip_WHAT           "IP addresses"
#define ip_FORM           "name\tAn IP address, or a range such as 10.1.0.0/16.\n"
#define ip_EXAMPLE        "10.1.0.0/16"
#define email_WHAT        "email addresses"
#define email_FORM        "name\tAn email address, or '@' and a domain for all of its mailboxes.\n"
#define email_EXAMPLE     "@lab.test"
#define uri_WHAT          "URIs"
#define uri_FORM          "name\tThe host of URIs, or '*.' and a name for all with exactly one label more.\n"
#define uri_EXAMPLE       "'*.lab.test'"
#define principal_WHAT    "principals"
#define principal_FORM    "name\tA principal of a user, or '*' for all. No name of a host is one.\n"
#define principal_EXAMPLE "kim"

#define allow_SUMMARY "allow "
#define deny_SUMMARY  "deny "
#define allow_TEXT                                                                                 \
    "Adds rules to the list of what is allowed. As soon as something is allowed, everything else " \
    "is refused, names of other kinds too."
#define deny_TEXT                                                                                  \
    "Adds rules to the list of what is denied. What is denied stays so, whatever is allowed."

/* --- Commands -------------------------------------------------------------------------------- */

/* One list of rules. */
#define RULES(level, use, side, kind)                                                              \
    static const struct command level##_##use##_##side##_##kind = {                                \
        .name = #kind,                                                                             \
        .summary = side##_SUMMARY kind##_WHAT " in " use##_WHAT,                                   \
        .synopsis = "<name>...",                                                                   \
        .description = side##_TEXT "\n\n" level##_EFFECT " The policy is printed as it is then.",  \
        .arguments = kind##_FORM,                                                                  \
        .examples = "$ step ca policy " #level " " use##_PATH " " #side " " #kind                  \
                                                              " " kind##_EXAMPLE level##_SAMPLE,   \
        .flag_sets = level##_RULE_SETS,                                                            \
        .rules = level##_NEEDS,                                                                    \
        .least = 1,                                                                                \
        .most = -1,                                                                                \
        .run = run_rule,                                                                           \
    }
#define GROUP(id, word, what, text)                                                                \
    static const struct command id = {                                                             \
        .name = word, .summary = what, .description = text, .sub = id##_SUB}
#define SIDE(level, use, side)                                                                     \
    GROUP(level##_##use##_##side, #side, side##_SUMMARY "names in " use##_WHAT, side##_TEXT)
#define X509_SIDE(level, side)                                                                     \
    RULES(level, x509, side, cn);                                                                  \
    RULES(level, x509, side, dns);                                                                 \
    RULES(level, x509, side, ip);                                                                  \
    RULES(level, x509, side, email);                                                               \
    RULES(level, x509, side, uri);                                                                 \
    static const struct command *const level##_x509_##side##_SUB[] = {                             \
        &level##_x509_##side##_cn,    &level##_x509_##side##_dns, &level##_x509_##side##_ip,       \
        &level##_x509_##side##_email, &level##_x509_##side##_uri, NULL};                           \
    SIDE(level, x509, side)
#define ACME_SIDE(side)                                                                            \
    RULES(acme, x509, side, dns);                                                                  \
    RULES(acme, x509, side, ip);                                                                   \
    static const struct command *const acme_x509_##side##_SUB[] = {&acme_x509_##side##_dns,        \
                                                                   &acme_x509_##side##_ip, NULL};  \
    SIDE(acme, x509, side)
#define HOST_SIDE(level, side)                                                                     \
    RULES(level, host, side, dns);                                                                 \
    RULES(level, host, side, ip);                                                                  \
    RULES(level, host, side, email);                                                               \
    RULES(level, host, side, principal);                                                           \
    static const struct command *const level##_host_##side##_SUB[] = {                             \
        &level##_host_##side##_dns, &level##_host_##side##_ip, &level##_host_##side##_email,       \
        &level##_host_##side##_principal, NULL};                                                   \
    SIDE(level, host, side)
#define USER_SIDE(level, side)                                                                     \
    RULES(level, user, side, email);                                                               \
    RULES(level, user, side, principal);                                                           \
    static const struct command *const level##_user_##side##_SUB[] = {                             \
        &level##_user_##side##_email, &level##_user_##side##_principal, NULL};                     \
    SIDE(level, user, side)

#define WILDCARD(level, side, what, text)                                                          \
    static const struct command level##_wildcards_##side = {                                       \
        .name = #side,                                                                             \
        .summary = what,                                                                           \
        .synopsis = "",                                                                            \
        .description = text "\n\n" level##_EFFECT,                                                 \
        .examples = "$ step ca policy " #level " x509 wildcards " #side level##_SAMPLE,            \
        .flag_sets = level##_SETS,                                                                 \
        .rules = level##_NEEDS,                                                                    \
        .run = run_wildcards,                                                                      \
    }
#define X509(level)                                                                                \
    WILDCARD(level, allow, "let wildcard names into certificates",                                 \
             "Certificates may hold a wildcard name such as '*.lab.test' where a rule "            \
             "'*.lab.test' allows it.");                                                           \
    WILDCARD(level, deny, "keep wildcard names out of certificates",                               \
             "Rules such as '*.lab.test' allow names below 'lab.test', but not the wildcard name " \
             "'*.lab.test' itself. That is so unless it is allowed.");                             \
    static const struct command *const level##_wildcards_SUB[] = {&level##_wildcards_allow,        \
                                                                  &level##_wildcards_deny, NULL};  \
    GROUP(level##_wildcards, "wildcards", "allow or deny wildcard names",                          \
          "Whether a name such as '*.lab.test' may itself stand in a certificate.");               \
    static const struct command *const level##_x509_SUB[] = {                                      \
        &level##_x509_allow, &level##_x509_deny, &level##_wildcards, NULL};                        \
    GROUP(level##_x509, "x509", "names in certificates", "Rules for the names in certificates.")
#define SSH_USE(level, use)                                                                        \
    static const struct command *const level##_##use##_SUB[] = {&level##_##use##_allow,            \
                                                                &level##_##use##_deny, NULL};      \
    GROUP(level##_##use, #use, "principals in " use##_WHAT,                                        \
          "Rules for the principals in " use##_WHAT ".")
#define SSH(level)                                                                                 \
    SSH_USE(level, host);                                                                          \
    SSH_USE(level, user);                                                                          \
    static const struct command *const level##_ssh_SUB[] = {&level##_host, &level##_user, NULL};   \
    GROUP(level##_ssh, "ssh", "principals in SSH certificates",                                    \
          "Rules for the principals in SSH certificates.")

#define VIEW_AND_REMOVE(level)                                                                     \
    static const struct command level##_view = {                                                   \
        .name = "view",                                                                            \
        .summary = "print the policy",                                                             \
        .synopsis = "",                                                                            \
        .description = "Prints the policy as JSON, or that there is none.",                        \
        .examples = "$ step ca policy " #level " view" level##_SAMPLE,                             \
        .flag_sets = level##_SETS,                                                                 \
        .rules = level##_NEEDS,                                                                    \
        .run = run_view,                                                                           \
    };                                                                                             \
    static const struct command level##_remove = {                                                 \
        .name = "remove",                                                                          \
        .summary = "remove the policy with all its rules",                                         \
        .synopsis = "",                                                                            \
        .description = "Removes the whole policy.\n\n" level##_EFFECT,                             \
        .examples = "$ step ca policy " #level " remove" level##_SAMPLE,                           \
        .flag_sets = level##_SETS,                                                                 \
        .rules = level##_NEEDS,                                                                    \
        .run = run_remove,                                                                         \
    }

#define FILE_LEVEL(level, what, text)                                                              \
    X509_SIDE(level, allow);                                                                       \
    X509_SIDE(level, deny);                                                                        \
    HOST_SIDE(level, allow);                                                                       \
    HOST_SIDE(level, deny);                                                                        \
    USER_SIDE(level, allow);                                                                       \
    USER_SIDE(level, deny);                                                                        \
    X509(level);                                                                                   \
    SSH(level);                                                                                    \
    VIEW_AND_REMOVE(level);                                                                        \
    static const struct command *const level##_SUB[] = {&level##_view, &level##_remove,            \
                                                        &level##_x509, &level##_ssh, NULL};        \
    GROUP(level, #level, what, text)

FILE_LEVEL(authority, "what the authority may issue",
           "The policy of the authority, 'authority.policy' in its configuration file. It holds "
           "for every provisioner.");
FILE_LEVEL(provisioner, "what a provisioner may issue",
           "The policy of one provisioner, 'options.policy' in its entry in the authority's "
           "configuration file. A name has to pass it and the authority's policy.");

ACME_SIDE(allow);
ACME_SIDE(deny);
X509(acme);
VIEW_AND_REMOVE(acme);
static const struct command *const acme_SUB[] = {&acme_view, &acme_remove, &acme_x509, NULL};
GROUP(acme, "acme", "what the account of an external account key may order",
      "The policy of one external account key of an ACME provisioner ('step ca acme eab'). Orders "
      "hold DNS names and IP addresses, so its rules are about these. Identifiers have to pass it "
      "and the policies of the provisioner and of the authority.");

static const struct command *const SUB[] = {&authority, &provisioner, &acme, NULL};
const struct command CMD_CA_POLICY = {
    .name = "policy",
    .summary = "say which names may stand in certificates",
    .description =
        "A policy is lists of names that are allowed and of names that are denied. Without a rule "
        "everything is allowed; with a rule that allows something, only what is allowed; and what "
        "is denied stays so.\n\n"
        "Certificates that were issued before can still be renewed.",
    .examples = "Only names of the laboratory, but one:\n"
                "$ step ca policy authority x509 allow dns '*.lab.test'\n"
                "$ step ca policy authority x509 deny dns bad.lab.test\n\n"
                "What is in force:\n"
                "$ step ca policy authority view",
    .sub = SUB,
};
