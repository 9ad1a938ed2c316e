/*
 * Where the certificate commands get certificates from: files, standard input, TLS servers; and
 * whom they trust.
 */
#pragma once

#include "cli/cli.h"
#include "net/http_client.h"
#include "x509/csr.h"

/* --servername, --roots: for commands that take a URL. */
extern const struct flag FLAGS_PEER[];

/* --- URLs --------------------------------------------------------------------------------- */

struct cert_url {
    const char *host, *port;
};
/* tcp:// tls:// https:// smtps:// ldaps://, in any case. */
bool cert_url_looks_like(struct slice text);
/* Host and port, by default that of the scheme; the rest does not matter. */
bool cert_url_read(struct arena *a, struct slice text, struct cert_url *url, struct err *e) CHECKED;

/* --- Trust -------------------------------------------------------------------------------- */

/* A file, a comma-separated list of files, or a directory.  Files of a directory that hold no
 * certificate are passed over; not one certificate at all is an error, and so is a file that cannot
 * be read. */
bool cert_roots_load(struct arena *a, const char *value, struct cert_list *roots,
                     struct err *e) CHECKED;
/* --roots, else the certificates that this system trusts. */
bool cert_roots(struct invocation *inv, struct cert_list *roots);

/* --- Certificates ------------------------------------------------------------------------- */

/* What a TLS server shows, leaf first; verified against --roots or the system's certificates, and
 * the name, unless insecure. */
bool cert_peer(struct invocation *inv, const char *url, bool insecure, struct cert_list *list);
/* A URL, or a file (or "-") with certificates; or, when it has none and csr is not NULL, with a
 * request.  Then the list is empty. */
bool cert_source(struct invocation *inv, const char *place, bool insecure, struct cert_list *list,
                 struct csr **csr);

/* The same for who only shows them (cert_look). */
bool cert_source_look(struct invocation *inv, const char *place, bool insecure,
                      struct cert_list *list, struct csr **csr);

/* --- Expiry ------------------------------------------------------------------------------- */

#define EXPIRES_IN_USUAL "66%"
/* "66%" of the lifetime, or a duration before the end. */
struct expires_in {
    bool relative;
    int64_t percent, ns;
};
bool expires_in_read(struct slice text, struct expires_in *x, struct err *e) CHECKED;
/* Exit codes of the two commands "needs-renewal". */
enum { RENEWAL_DUE = 0, RENEWAL_NOT_DUE = 1, RENEWAL_NO_FILE = 2, RENEWAL_TROUBLE = 255 };
/* Reads --expires-in; false when the error was told. */
bool expires_in_flag(struct invocation *inv, struct expires_in *x);
/* The exit code, and with --verbose the answer in words. */
int renewal_answer(struct invocation *inv, bool needed);
bool expires_in_reached(const struct expires_in *x, struct instant not_before,
                        struct instant not_after, struct instant now);
