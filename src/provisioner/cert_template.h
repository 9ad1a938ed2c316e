/*
 * Where a provisioner's certificate template comes from (docs/reference/templates.md
 * "Configuration"): text in ca.json, parsed once, or a file that is read for every request, so
 * that an edit needs no reload.
 */
#pragma once

#include "base/steppath.h"
#include "template/template.h"
#include "json/json.h"

#define TEMPLATE_TEXT_MAX (1u << 20)

/* What templates may use; lives as long as the provisioners. */
struct template_env {
    const struct steppath *sp; /* relative files lie below it; NULL: they cannot be used */
    struct clock *clock;
    const char *const *allow; /* functions that authority.templateFunctions switches on */
    size_t n_allow;
    const struct template_hooks *hooks; /* NULL: functions that need them stay off */
};

struct cert_template {
    const struct template_env *env;
    enum template_set set;
    const struct template *parsed; /* of inline text */
    const char *file;              /* absolute; NULL: inline */
    struct err trouble;            /* kind != ERR_NONE: why inline text is of no use */
    const struct json *data;       /* templateData or NULL */
};

/* set: what the template may use.  text wins over file; both empty: *out stays NULL unless there is
 * data.  *warning: what is wrong with the template as it is now (a broken text, a missing file), or
 * NULL; requests then fail and the provisioner works otherwise.  The three inputs live as long as
 * a. */
bool cert_template_make(struct arena *a, const struct template_env *env, enum template_set set,
                        struct slice text, struct slice file, const struct json *data,
                        struct cert_template **out, const char **warning, struct err *e) CHECKED;
/* The template to run now: *out is NULL when there is only data.  ERR_INTERNAL names the file. */
bool cert_template_open(const struct cert_template *t, struct arena *a, const struct template **out,
                        struct err *e) CHECKED;
