/* SSH keys and certificates for tests, made on the spot. */
#pragma once

#include "provisioner_testing.h"
#include "ssh/cert.h"

UNUSED static struct ssh_key ssh_key_of(const struct private_key *key)
{
    struct ssh_key k = {0};

    ok(ssh_key_from(A, key->public_key, &k, e));
    return k;
}

/* Valid from an hour ago for a day; changed by the caller before it is signed. */
UNUSED static struct ssh_cert ssh_cert_new(const struct private_key *key, uint32_t type)
{
    static struct slice NAMES[] = {{(const uint8_t *)"web1.test", 9}};

    return (struct ssh_cert){.nonce = SLICE("nnnnnnnnnnnnnnnn"),
                             .key = ssh_key_of(key),
                             .serial = 42,
                             .type = type,
                             .key_id = SLICE("web1"),
                             .principals = NAMES,
                             .n_principals = 1,
                             .valid_after = (uint64_t)NOW_SEC - 3600,
                             .valid_before = (uint64_t)NOW_SEC + 86400};
}

UNUSED static struct ssh_cert ssh_signed(const struct ssh_cert *c, const struct private_key *by)
{
    struct buf blob = buf_new(A, SSH_BLOB_MAX);
    struct ssh_cert out;

    ok(ssh_cert_sign(c, signer_local(A, by, "test"), A, &blob, DEADLINE_NONE, e));
    ok(ssh_cert_read(A, buf_slice(&blob), &out, e));
    return out;
}

/* A token by the key of a certificate, for "renew", "rekey" or "revoke". */
UNUSED static struct slice sshpop_token(const struct private_key *key, const struct ssh_cert *c,
                                        const char *method, const struct json *claims)
{
    enum jws_alg alg = jws_alg_usual(key->public_key);
    struct slice blob = base64_text(A, BASE64_STD, c->blob);
    const char *header =
        arena_printf(A, "{\"alg\":\"%s\",\"sshpop\":\"%.*s\"}", jws_alg_name(alg), SLICE_ARG(blob));
    struct json *all = json_of("{\"iss\":\"sshpop\",\"jti\":\"once\"}");

    json_set_exact(
        all, A, "aud",
        json_make_text(A, arena_format(A, "https://ca.test/1.0/ssh/%s#sshpop/sshpop", method)));
    json_set_exact(all, A, "sub", json_make_text(A, ssh_serial_text(A, c->serial)));
    json_set_exact(all, A, "iat", json_make_int(A, test_now.sec));
    json_set_exact(all, A, "exp", json_make_int(A, test_now.sec + 300));
    for (const struct json *m = claims ? claims->first : NULL; m; m = m->next)
        json_set_exact(all, A, arena_cstr(A, m->name), json_copy(A, m));
    return token_sign(key, alg, header, all);
}
