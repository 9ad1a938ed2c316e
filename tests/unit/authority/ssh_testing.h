/* A CA that also signs SSH certificates, without configuration files for its keys. */
#pragma once

#include "authority/ssh_template.h"
#include "authority_testing.h"
#include "provisioner/ssh_certs.h"

static struct {
    struct private_key *user, *host, *key;
    struct ssh_ca ca;
    struct ssh_key subject; /* of key */
} S;

static void one_root(struct ssh_keys *list, const struct private_key *key)
{
    list->v = arena_array(A, 1, sizeof(struct ssh_key));
    list->v[0] = ssh_key_of(key);
    list->n = 1;
}

/* Two provisioners that may: ops (0), and sshpop (2). */
UNUSED static int ssh_begin(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    memset(&S, 0, sizeof(S));
    S.user = key_new(KEY_P256, 0);
    S.host = key_new(KEY_ED25519, 0);
    S.key = key_new(KEY_P256, 0);
    S.subject = ssh_key_of(S.key);
    S.ca.user = (struct ssh_signer){signer_local(A, S.user, "user"), ssh_key_of(S.user)};
    S.ca.host = (struct ssh_signer){signer_local(A, S.host, "host"), ssh_key_of(S.host)};
    one_root(&S.ca.roots.user, S.user);
    one_root(&S.ca.roots.host, S.host);
    S.ca.add_user_principal = SLICE("provisioner");
    S.ca.add_user_command = SLICE("sudo useradd -m <principal>; nc -q0 localhost 22");
    json_change(world_provisioner(0), "claims", "{\"enableSSHCA\":true}");
    json_append(world_provisioners(), json_of("{\"type\":\"SSHPOP\",\"name\":\"sshpop\"}"));
    return 0;
}

UNUSED static void ssh_load(void)
{
    struct core *core = NULL;
    struct registry *registry = NULL;

    ok((core = world_core(e)));
    if (core)
        core->ssh = &S.ca;
    ok((registry = registry_build(&W.s, core, e)));
    authority_publish(&W.s, core, registry);
}

UNUSED static void ssh_start(bool durable)
{
    world_services(durable);
    ssh_load();
}

/* ssh: step.ssh of the token, which is for sub. */
UNUSED static struct slice ssh_token(const char *sub, const char *ssh)
{
    struct json *c = ops_claims();

    json_change(c, "aud", "\"https://ca.test/1.0/ssh/sign\"");
    json_change(c, "sub", arena_printf(A, "\"%s\"", sub));
    json_change(c, "step", arena_printf(A, "{\"ssh\":%s}", ssh));
    return ops_token(c);
}

UNUSED static struct ssh_request ssh_asked(const char *type, const char *names)
{
    struct ssh_request r = {.key = S.subject, .wish.type = slice_text(type)};
    struct slice rest = slice_text(names), name;
    struct slice *list = arena_array(A, 300, sizeof(*list));

    while (rest.n > 0 && slice_split(&rest, ',', &name))
        list[r.wish.n_principals++] = name;
    r.wish.principals = list;
    return r;
}

/* The whole way of a request; no commit. */
UNUSED static bool ssh_ask(struct work *w, struct slice token, const struct ssh_request *r,
                           struct ssh_issued *out)
{
    struct grant *g;

    return authorize_token(w, token, METHOD_SSH_SIGN, &g) && ssh_sign(w, g, r, out);
}

/* What sshd would see: read back, and the signature is by our key. */
UNUSED static struct ssh_cert ssh_seen(const struct ssh_issued *i)
{
    struct ssh_cert c;
    const struct private_key *by = i->cert.type == SSH_HOST ? S.host : S.user;

    ok(ssh_cert_read(A, i->cert.blob, &c, e));
    ok(ssh_cert_verify(A, &c, e));
    assert_true(slice_eq(c.ca.blob, ssh_key_of(by).blob));
    assert_true(slice_eq(c.key.blob, i->cert.key.blob));
    return c;
}

/* "user|key id|a,b|force-command=x|permit-pty=" */
UNUSED static const char *ssh_text(const struct ssh_cert *c)
{
    struct buf b = buf_new(A, 1u << 20);
    const struct ssh_options *options[] = {&c->critical, &c->extensions};

    buf_printf(&b, "%s|%.*s|", ssh_cert_type_text(c->type), SLICE_ARG(c->key_id));
    for (size_t i = 0; i < c->n_principals; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", SLICE_ARG(c->principals[i]));
    for (size_t k = 0; k < COUNT_OF(options); k++) {
        buf_byte(&b, '|');
        for (size_t i = 0; i < options[k]->n; i++)
            buf_printf(&b, "%s%.*s=%.*s", i ? "," : "", SLICE_ARG(options[k]->v[i].name),
                       SLICE_ARG(options[k]->v[i].value));
    }
    return arena_cstr(A, buf_slice(&b));
}

#define SSH_FIVE                                                                                   \
    "permit-X11-forwarding=,permit-agent-forwarding=,permit-port-forwarding=,permit-pty=,permit-"  \
    "user-rc="

#define SSH_WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, ssh_begin, world_end)
