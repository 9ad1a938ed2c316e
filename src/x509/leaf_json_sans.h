/* The names in the certificate JSON: dnsNames, emailAddresses, ipAddresses, uris and sans. */
#pragma once

#include "x509/cert.h"
#include "json/json.h"

bool leaf_json_sans(struct arena *a, const struct json *v, struct x509_leaf *leaf,
                    struct err *e) CHECKED;
