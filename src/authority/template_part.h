/* What templates of both kinds of certificates share. */
#pragma once

#include "authority/template_data.h"

void template_set(struct arena *a, struct tvalue *map, const char *name, struct tvalue value);
/* .Insecure.<name> */
void template_set_insecure(struct arena *a, struct tvalue *data, const char *name,
                           struct tvalue value);
/* .Token, .AuthorizationCrt; over them templateData; then .Insecure.User. */
void template_set_common(struct arena *a, struct tvalue *data, const struct template_inputs *in);

/* Runs t and reads the JSON that it made.  MALFORMED: it refused with `fail`; INTERNAL otherwise.
 */
bool template_run_json(struct arena *a, const struct template *t, const struct tvalue *data,
                       const struct json **out, struct err *e) CHECKED;
/* What it made is no certificate: told to the requester. */
bool template_no_certificate(struct err *e);
