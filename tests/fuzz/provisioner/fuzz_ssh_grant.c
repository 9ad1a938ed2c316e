/* Claims of a token in the first line, a request in the second: what is granted, and whether the
 * request fits. */
#include "provisioner/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAMES_MAX 300

/* "type|key id|principal,principal|validAfter|validBefore" */
static struct ssh_wish read_request(struct arena *a, struct slice text)
{
    struct slice part[5] = {{0}}, name, *names = arena_array(a, NAMES_MAX, sizeof(*names));
    struct ssh_wish w = {.principals = names};

    for (size_t i = 0; i < COUNT_OF(part); i++) {
        if (!slice_split(&text, '|', &part[i]))
            break;
    }
    while (w.n_principals < NAMES_MAX && slice_split(&part[2], ',', &name))
        names[w.n_principals++] = name;
    w.type = part[0];
    w.key_id = part[1];
    bool after = time_or_duration_read(part[3], &w.valid_after, NULL);
    bool before = time_or_duration_read(part[4], &w.valid_before, NULL);
    (void)after, (void)before;
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice rest = slice_of(data, size), claims;
    struct asking ask = {a, instant_sec(1770114030), DEADLINE_NONE};
    struct err e = {0};

    if (slice_split(&rest, '\n', &claims)) {
        struct token t = {.claims = json_read(a, claims, &JSON_JOSE, NULL, NULL),
                          .sub = SLICE("alice")};
        struct ssh_wish asked = read_request(a, rest);
        struct grant g = {0};
        if (t.claims && token_grant_ssh(&t, &ask, &g, &e)) {
            bool fits = ssh_rules_check(&g.ssh, &asked, &e);
            bool own = ssh_rules_check(&g.ssh, g.ssh.match, &e);
            (void)fits;
            if (!own)
                __builtin_trap(); /* what a token says is what it allows */
        }
    }
    arena_free(a);
    return 0;
}
