/*
 * Three lifetimes: a request (one arena, seconds), a snapshot (configuration, keys, provisioners:
 * immutable, counted, until the next reload) and the services (the process).
 */
#pragma once

#include "authority/config.h"
#include "base/log.h"
#include "base/pool.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "provisioner/provisioner.h"
#include "store/store.h"
#include "x509/cert.h"

struct metrics;
struct acme_service; /* acme/acme.h */

/* Workers that webhooks may hold up: requests that are in a call, and with those that wait for
 * their turn.  The pool has twice as many, so the others are served whatever a webhook does. */
#define WEBHOOKS_AT_ONCE 64
#define WEBHOOKS_WAITING 128

/* The list of revoked SSH certificates (ssh_krl.c), for everybody who asks. */
struct ssh_krl_cache {
    pthread_mutex_t lock;
    struct buf bytes, keys; /* keys: for which it was made */
    int64_t made_mono;
    _Atomic int64_t doubt_until; /* a list made before this may lack the latest revocation */
    size_t odd;                  /* rows that were told about */
};
void ssh_krl_init(struct ssh_krl_cache *c);
void ssh_krl_end(struct ssh_krl_cache *c);

/* Made once in main, passed down, ended in reverse order. */
struct services {
    struct clock *clock;
    struct rng *rng;
    struct instant started; /* for the issued-at check; survives reloads; whole seconds */
    int64_t started_mono_ns;
    struct metrics *metrics;
    struct pool *pool;
    struct store *store; /* never NULL: without `db` the memory engine */
    struct http_client *http;
    struct tls_slot *tls;
    const struct steppath *sp; /* template files lie below it; NULL: they cannot be used */
    struct acme_service *acme; /* NULL without a database */
    struct gate crl_gate;      /* one CRL at a time */
    struct gate webhook_gate;  /* calls at a time */
    atomic_uint webhook_busy;  /* requests that call webhooks or wait for the gate */
    struct ssh_krl_cache ssh_krl;
    pthread_mutex_t current_lock; /* guards current */
    struct authority *current;
};
void services_init(struct services *s, struct clock *clock, struct rng *rng);
/* The current authority, locks and counters; what main made it ends itself. */
void services_end(struct services *s);
/* A database is configured: certificates and revocations are kept. */
static inline bool services_durable(const struct services *s)
{
    return (s->store->caps & STORE_DURABLE) != 0;
}

struct crl_settings {
    bool enabled, generate_on_revoke;
    int64_t cache, renew; /* ns */
    struct slice idp_url;
};

/* One immutable half: configuration and loaded keys. */
struct ssh_ca; /* authority/ssh.h */
struct core {
    struct ref ref;
    struct arena *arena, *secrets;
    const struct config *config;
    struct cert_list roots, federated, intermediates; /* intermediates: the crt bundle */
    struct slice *root_fingerprints;                  /* one per root, hex */
    struct issuer issuer;
    struct cert_list constrained; /* issuers that carry name constraints; n 0: none */
    struct instant issuer_ends;   /* the earliest notAfter of issuer and roots */
    struct audiences audiences;
    struct claims claims;
    int64_t backdate;
    struct subject subject_defaults;
    struct crl_settings crl;
    struct policy_set policies;
    struct ssh_ca *ssh; /* NULL: no `ssh` in ca.json */
    struct tls_settings tls;
    struct slice dns_primary; /* dnsNames[0] as a URL host: IPv6 in brackets */
    struct sans own_names;    /* SANs of the server certificate */
    /* Finished bodies. */
    struct slice roots_json, roots_pem, intermediates_json, intermediates_pem, federation_json;
    struct slice chain_json;  /* `,"-----BEGIN…"` for each certificate of the crt bundle */
    struct slice issuer_json; /* the issuer as a JSON text, or null */
    struct slice tls_json;    /* tlsOptions */
    struct slice version_json;
};

/* The other half: provisioners. */
struct registry {
    struct ref ref;
    struct arena *arena;
    struct provisioner **all; /* in the order of ca.json */
    size_t n;
};
struct provisioner *registry_by_id(const struct registry *r, struct slice id);
struct provisioner *registry_by_name(const struct registry *r, struct slice name);
struct provisioner *registry_by_token_id(const struct registry *r, struct slice token_id);
struct provisioner *registry_by_kid(const struct registry *r, struct slice kid);

struct authority {
    struct ref ref;
    struct core *core;
    struct registry *registry;
};

/* Passwords that open the keys of a configuration. */
struct core_passwords {
    struct slice ca; /* --password-file, or empty: config->password, else the prompt */
    struct slice ssh_host, ssh_user; /* their own files, or empty: as above */
    struct password_source *prompt;  /* NULL: no terminal */
};
/* Keys read and matched, chain checked, everything validated.  The configuration's arenas
 * (a, secrets) go to the core. */
struct core *core_build(struct services *s, struct arena *a, struct arena *secrets,
                        const struct config *config, const struct core_passwords *passwords,
                        struct err *e) CHECKED;
struct registry *registry_build(struct services *s, const struct core *core, struct err *e) CHECKED;
/* Takes over both references. */
void authority_publish(struct services *s, struct core *core, struct registry *registry);
struct authority *authority_take(struct services *s);
void authority_drop(struct authority *a);
/* What an operator should know, once at start: short-lived issuer, claims beyond it, example keys
 * of public documentation, world-readable secrets. */
void authority_warn(const struct services *s, const struct core *core, const struct registry *r);
