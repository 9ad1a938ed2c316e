/*
 * `step ca policy`: which names an authority, one provisioner, or the account of one external
 * account key may have in certificates (docs/reference/policies.md).
 *
 * A policy is an object as it stands in ca.json.  Commands open what carries it, change a copy,
 * have the rules read as the server reads them, and only then write: a rule that the server would
 * refuse never gets into a file.
 */
#pragma once

#include "cli/acme_desk.h"
#include "cli/provisioner_edit.h"

extern const struct command CMD_CA_POLICY; /* policy.c */

enum policy_level { LEVEL_AUTHORITY, LEVEL_PROVISIONER, LEVEL_ACME };

/* What the words of the command say. */
struct policy_words {
    enum policy_level level;
    enum policy_use use;
    bool allow; /* "allow", or "deny" */
    enum policy_kind kind;
};
bool policy_words_read(const struct invocation *inv, struct policy_words *w);

/* --- policy_tree.c: a policy as JSON -------------------------------------------------------- */

/* Puts a rule into the list or takes it out; rules are the same when the server takes them for the
 * same.  True: something changed. */
bool policy_tree_add(struct json *policy, struct arena *a, const struct policy_words *w,
                     struct slice rule);
bool policy_tree_drop(struct json *policy, struct arena *a, const struct policy_words *w,
                      struct slice rule);
void policy_tree_wildcards(struct json *policy, struct arena *a, bool allow);
/* Takes away lists and objects in which nothing is left.  True: the policy itself is empty. */
bool policy_tree_prune(struct json *policy);
/* As administrators are shown it: all objects, empty lists left out, names of the admin API. */
struct json *policy_tree_shown(const struct json *policy, struct arena *a, bool ssh);
/* The object with "allow" and "deny" of one kind of certificate; NULL when there is none. */
const struct json *policy_tree_engine(const struct json *policy, enum policy_use use);
/* What a rule-maker may not have meant: one line, or NULL. */
const char *policy_tree_doubt(const struct json *policy, struct arena *a,
                              const struct policy_words *w);

/* --- policy_target.c: what carries it ------------------------------------------------------- */

struct policy_target {
    struct invocation *inv;
    enum policy_level level;
    struct json *policy; /* a copy to change; an empty object when there is none */
    bool there;

    struct provisioner_file file;
    struct json *entry; /* of the provisioner */
    bool desk_is_open;
    struct desk desk;
    struct acme_eab_key key;
};
/* Opened by the flags; then policy_target_close, also after a failure.  False: inv->err. */
bool policy_target_open(struct invocation *inv, enum policy_level level, struct policy_target *t);
/* Judges and writes; policy NULL takes it away. */
bool policy_target_save(struct policy_target *t, struct json *policy);
void policy_target_close(struct policy_target *t);
