/* JSON pieces that certificates, requests and CRLs share. */
#pragma once

#include "x509/show_internal.h"
#include "json/json.h"

void show_member(struct show *s, struct json *object, const char *name, struct json *value);
void show_member_text(struct show *s, struct json *object, const char *name, struct slice text);
struct json *show_base64(struct show *s, struct slice bytes);
struct json *show_algorithm(struct show *s, struct sig_alg alg, struct slice oid);
struct json *show_dn(struct show *s, const struct dn *dn);
