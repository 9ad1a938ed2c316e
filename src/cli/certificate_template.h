/* What `certificate create` and `certificate sign` share when the certificate comes from a template
 * (docs/reference/templates.md). */
#pragma once

#include "cli/cli.h"
#include "x509/csr.h"
#include "x509/leaf_json.h"

struct template_view { /* what the template sees */
    const struct subject *subject;
    const struct sans *sans;
    const struct csr *csr;   /* .Insecure.CR */
    const int *max_path_len; /* .MaxPathLen; NULL: not there */
};
/* Runs the file of --template with the data of --set and --set-file.  The key is left out.  The
 * error, which names the file, stays in inv->err. */
bool certificate_by_template(struct invocation *inv, const struct template_view *view,
                             struct leaf_json *out);
