/*
 * Editing the provisioners of an authority: where the change goes, the ca.json that takes it, and
 * what each type of provisioner is made of (docs/reference/provisioners.md).
 *
 * A change is made on a copy of the file's tree, the copy is judged as the server would judge it,
 * and only then the file is replaced: whatever fails before leaves it as it was.
 *
 * Functions leave their error in inv->err.
 */
#pragma once

#include "authority/config.h"
#include "cli/ca_common.h"
#include "provisioner/provisioner.h"

extern const struct command CMD_CA_PROVISIONER; /* provisioner.c */
extern const struct command CMD_CA_PROVISIONER_ADD, CMD_CA_PROVISIONER_UPDATE;
extern const struct command CMD_CA_PROVISIONER_WEBHOOK;

/* --- provisioner_edit.c: the file ------------------------------------------------------------ */

struct turn;
struct provisioner_file {
    const char *path;      /* symbolic links followed */
    struct slice text;     /* as read: saving refuses when somebody else changed it meanwhile */
    struct config *config; /* as read */
    struct json *tree;     /* the copy that is edited */
    struct json *list;     /* authority.provisioners in it */
    struct turn *turn;     /* held until it is saved: commands that change one file take turns */
};
/* "ca-config" */
extern const struct flag FLAGS_CA_CONFIG[];

/* --ca-config on the command line or in the environment: that file.  Else the CA is asked whether
 * it manages its provisioners itself: then the change is refused, for this version has no remote
 * management; a CA that does not, or that does not answer, takes them from its file. */
bool provisioner_file_open(struct invocation *inv, struct provisioner_file *f);
/* The entry with that name; NULL with ERR_NOT_FOUND, or when the name is there twice. */
struct json *provisioner_file_find(struct invocation *inv, const struct provisioner_file *f,
                                   struct slice name);
/* Limits and switches of an entry, the file's own and the built-in ones below it. */
bool provisioner_claims(struct invocation *inv, const struct provisioner_file *f,
                        const struct json *entry, struct claims *claims);
/* Judges the edited list and writes the file.  edited: the entry that must be usable, or NULL. */
bool provisioner_file_save(struct invocation *inv, const struct provisioner_file *f,
                           const struct json *edited);

/* --- provisioner_parts.c: the members ----------------------------------------------------------
 */

/* Flags of the types, and those that every type has. */
extern const struct flag FLAGS_PROVISIONER_TYPES[], FLAGS_PROVISIONER_TEMPLATE[],
    FLAGS_PROVISIONER_CLAIMS[];
extern const struct flag_rule PROVISIONER_RULES[];

/* Every flag on the command line that belongs to a type belongs to this one; types that this
 * version does not edit are refused by name. */
bool provisioner_flags_fit(struct invocation *inv, const struct provisioner_type *type);
/* Sets the members that the type's flags speak of.  adding: what a new provisioner must have is
 * demanded; else absent flags leave everything as it is. */
bool provisioner_put_members(struct invocation *inv, const struct provisioner_type *type,
                             struct json *entry, bool adding);
/* Writes the four switches, and the durations that were given; an empty duration takes it away.
 * in_force: what holds without flags; NULL: the flags' defaults. */
bool provisioner_put_claims(struct invocation *inv, struct json *entry,
                            const struct claims *in_force);

/* --- provisioner_options.c: templates -----------------------------------------------------------
 */

/* SSHPOP makes nothing by a template. */
bool provisioner_has_options(const struct provisioner_type *type);
/* No template for a type that has none. */
bool provisioner_options_fit(struct invocation *inv, const struct provisioner_type *type);
/* The options member, with the templates and data that the flags name; a template that does not
 * parse is refused. */
bool provisioner_put_options(struct invocation *inv, const struct provisioner_type *type,
                             struct json *entry);
/* Members in their usual order, those that are unknown behind them. */
void provisioner_order(struct json *entry);
