/* What the files of the CA's client share. */
#pragma once

#include "client/ca.h"

/* A list of PEM texts; v may be NULL or no list: nothing. */
bool ca_read_certs(struct arena *a, const struct json *v, struct cert_list *out,
                   struct err *e) CHECKED;
bool ca_post_revoke(struct ca *ca, struct arena *a, const char *path,
                    const struct ca_revoke_wish *wish, struct err *e) CHECKED;
