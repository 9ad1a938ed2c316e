/* JSON pieces that certificates, requests and CRLs share. */
#pragma once

#include "x509/show_internal.h"
#include "json/json.h"

void show_member(struct show *s, struct json *object, const char *name, struct json *value);
void show_member_text(struct show *s, struct json *object, const char *name, struct slice text);
struct json *show_base64(struct show *s, struct slice bytes);
struct json *show_algorithm(struct show *s, struct sig_alg alg, struct slice oid);
struct json *show_dn(struct show *s, const struct dn *dn);
struct slice show_dn_text(struct show *s, const struct dn *dn); /* "CN=a, O=b" */
struct json *show_sans(struct show *s, const struct sans *sans);
/* NULL: the value does not decode. */
typedef struct json *extension_json_fn(struct show *s, const struct extension *x);
extension_json_fn show_constraints, show_policies;
