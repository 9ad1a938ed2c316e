/* What the inventory shows of a certificate: one way for those we issue and those we find. */
#pragma once

#include "store/store.h"
#include "x509/cert.h"

/* "dns:a.example\nip:10.0.0.1": names, one a line. */
struct slice inventory_names(struct arena *a, const struct sans *names);
/* A describe_fn: reads the certificate and, from its extension, who issued it.  False: it is none,
 * or its serial number is not `key`. */
bool inventory_describe(struct arena *a, enum table t, struct slice key, struct slice der,
                        struct issued *out);
