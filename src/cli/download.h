/* One request to a server that is not the authority: revocation lists, status, certificates. */
#pragma once

#include "cli/cli.h"
#include "net/http_client.h"
#include "x509/cert.h"

#define DOWNLOAD_NS  (60 * NS_PER_SEC)
#define DOWNLOAD_MAX (64u << 20)

/* Each certificate is an anchor. */
struct trust download_trust(struct arena *a, const struct cert_list *roots);
/* Lives as long as the command. */
struct http_client *download_client(struct invocation *inv);
/* GET; redirects are followed; a status other than 200 is an error. */
bool download(struct invocation *inv, const struct trust *trust, struct slice url,
              struct slice *body, struct err *e) CHECKED;
/* POST of something; never redirected. */
bool download_post(struct invocation *inv, const struct trust *trust, struct slice url,
                   const char *content_type, struct slice sent, struct slice *body,
                   struct err *e) CHECKED;
/* The first PEM block's content, or the text itself when it is no PEM. */
bool download_der(struct arena *a, struct slice text, struct slice *der, struct err *e) CHECKED;
