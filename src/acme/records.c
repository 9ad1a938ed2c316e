/* The records of ACME as tables: names and order are the reference's. */
#include "acme/acme.h"
#include "crypto/random.h"

#define AT(member) offsetof(struct acme_identifier, member)
static const struct field IDENTIFIER_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"value", FIELD_TEXT, AT(value), 0, NULL},
};
#undef AT
static const struct shape IDENTIFIER_SHAPE = {"identifier", sizeof(struct acme_identifier),
                                              IDENTIFIER_FIELDS, COUNT_OF(IDENTIFIER_FIELDS),
                                              false};

#define AT(member) offsetof(struct acme_subproblem, member)
static const struct field SUBPROBLEM_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"detail", FIELD_TEXT, AT(detail), 0, NULL},
    {"identifier", FIELD_OBJECT, AT(identifier), FIELD_OMIT_EMPTY, &IDENTIFIER_SHAPE},
};
#undef AT
static const struct shape SUBPROBLEM_SHAPE = {"subproblem", sizeof(struct acme_subproblem),
                                              SUBPROBLEM_FIELDS, COUNT_OF(SUBPROBLEM_FIELDS),
                                              false};

#define AT(member) offsetof(struct acme_problem, member)
static const struct field PROBLEM_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"detail", FIELD_TEXT, AT(detail), 0, NULL},
    {"subproblems", FIELD_OBJECTS, AT(subproblems), FIELD_OMIT_EMPTY, &SUBPROBLEM_SHAPE},
};
#undef AT
static const struct shape PROBLEM_SHAPE = {"problem", sizeof(struct acme_problem), PROBLEM_FIELDS,
                                           COUNT_OF(PROBLEM_FIELDS), false};

#define SHAPE(variable, what, type, fields)                                                        \
    const struct shape variable = {what, sizeof(type), fields, COUNT_OF(fields), false}

#define AT(member) offsetof(struct acme_account, member)
static const struct field ACCOUNT_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"key", FIELD_RAW, AT(key), 0, NULL},
    {"contact", FIELD_TEXTS, AT(contact), FIELD_OMIT_EMPTY, NULL},
    {"status", FIELD_TEXT, AT(status), 0, NULL},
    {"locationPrefix", FIELD_TEXT, AT(location_prefix), 0, NULL},
    {"provisionerID", FIELD_TEXT, AT(provisioner_id), FIELD_OMIT_EMPTY, NULL},
    {"provisionerName", FIELD_TEXT, AT(provisioner_name), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"deactivatedAt", FIELD_TIME_NANO, AT(deactivated), 0, NULL},
};
#undef AT
SHAPE(ACME_ACCOUNT_SHAPE, "ACME account", struct acme_account, ACCOUNT_FIELDS);

#define AT(member) offsetof(struct acme_order, member)
static const struct field ORDER_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"accountID", FIELD_TEXT, AT(account), 0, NULL},
    {"provisionerID", FIELD_TEXT, AT(provisioner_id), 0, NULL},
    {"identifiers", FIELD_OBJECTS, AT(identifiers), 0, &IDENTIFIER_SHAPE},
    {"authorizationIDs", FIELD_TEXTS, AT(authorizations), 0, NULL},
    {"status", FIELD_TEXT, AT(status), 0, NULL},
    {"notBefore", FIELD_TIME_NANO, AT(not_before), 0, NULL},
    {"notAfter", FIELD_TIME_NANO, AT(not_after), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"expiresAt", FIELD_TIME_NANO, AT(expires), 0, NULL},
    {"certificate", FIELD_TEXT, AT(certificate), FIELD_OMIT_EMPTY, NULL},
    {"error", FIELD_OBJECT, AT(error), FIELD_OMIT_EMPTY, &PROBLEM_SHAPE},
};
#undef AT
SHAPE(ACME_ORDER_SHAPE, "ACME order", struct acme_order, ORDER_FIELDS);

#define AT(member) offsetof(struct acme_authz, member)
static const struct field AUTHZ_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"accountID", FIELD_TEXT, AT(account), 0, NULL},
    {"identifier", FIELD_INLINE, AT(identifier), 0, &IDENTIFIER_SHAPE},
    {"status", FIELD_TEXT, AT(status), 0, NULL},
    {"token", FIELD_TEXT, AT(token), 0, NULL},
    {"fingerprint", FIELD_TEXT, AT(fingerprint), FIELD_OMIT_EMPTY, NULL},
    {"challengeIDs", FIELD_TEXTS, AT(challenges), 0, NULL},
    {"wildcard", FIELD_BOOL, AT(wildcard), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"expiresAt", FIELD_TIME_NANO, AT(expires), 0, NULL},
    {"error", FIELD_OBJECT, AT(error), 0, &PROBLEM_SHAPE},
};
#undef AT
SHAPE(ACME_AUTHZ_SHAPE, "ACME authorization", struct acme_authz, AUTHZ_FIELDS);

#define AT(member) offsetof(struct acme_challenge, member)
static const struct field CHALLENGE_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"accountID", FIELD_TEXT, AT(account), 0, NULL},
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"status", FIELD_TEXT, AT(status), 0, NULL},
    {"token", FIELD_TEXT, AT(token), 0, NULL},
    {"value", FIELD_TEXT, AT(value), 0, NULL},
    {"target", FIELD_TEXT, AT(target), FIELD_OMIT_EMPTY, NULL},
    {"validatedAt", FIELD_TEXT, AT(validated), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"error", FIELD_OBJECT, AT(error), 0, &PROBLEM_SHAPE},
};
#undef AT
SHAPE(ACME_CHALLENGE_SHAPE, "ACME challenge", struct acme_challenge, CHALLENGE_FIELDS);

#define AT(member) offsetof(struct acme_cert, member)
static const struct field CERT_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"accountID", FIELD_TEXT, AT(account), 0, NULL},
    {"orderID", FIELD_TEXT, AT(order), 0, NULL},
    {"leaf", FIELD_BYTES, AT(leaf), FIELD_NULL_WHEN_NONE, NULL},
    {"intermediates", FIELD_BYTES, AT(intermediates), FIELD_NULL_WHEN_NONE, NULL},
};
#undef AT
SHAPE(ACME_CERT_SHAPE, "ACME certificate", struct acme_cert, CERT_FIELDS);

#define AT(member) offsetof(struct acme_eab_key, member)
static const struct field EAB_FIELDS[] = {
    {"id", FIELD_TEXT, AT(id), 0, NULL},
    {"provisionerID", FIELD_TEXT, AT(provisioner_id), 0, NULL},
    {"reference", FIELD_TEXT, AT(reference), 0, NULL},
    {"accountID", FIELD_TEXT, AT(account), FIELD_OMIT_EMPTY, NULL},
    {"key", FIELD_BYTES, AT(key), 0, NULL},
    {"createdAt", FIELD_TIME_NANO, AT(created), 0, NULL},
    {"boundAt", FIELD_TIME_NANO, AT(bound), 0, NULL},
    {"policy", FIELD_RAW, AT(policy), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
SHAPE(ACME_EAB_SHAPE, "external account key", struct acme_eab_key, EAB_FIELDS);

bool acme_record_read(struct arena *a, const struct shape *shape, struct slice key,
                      struct slice raw, void *out, struct err *e)
{
    const struct json *v = json_read(a, raw, &JSON_RECORD, NULL, e);

    if (v && shape_read(shape, v, out, a, e))
        return true;
    err_classify(e, ERR_INTERNAL);
    return err_wrap(e, "%s %.*s in the store", shape->what, SLICE_ARG(key));
}

bool acme_load(struct work *w, enum table t, const struct shape *shape, struct slice key,
               size_t raw_offset, void *out, bool *found)
{
    struct slice raw;

    *found = false;
    memset(out, 0, shape->size);
    if (key.n == 0)
        return true;
    if (!store_get(w->services->store, t, key, w->arena, &raw, w->deadline, &w->err))
        return err_wrap(&w->err, "reading %s", shape->what);
    if (raw.n == 0)
        return true;
    if (!acme_record_read(w->arena, shape, key, raw, out, &w->err))
        return false;
    *(struct slice *)(void *)((char *)out + raw_offset) = raw;
    *found = true;
    return true;
}

struct slice acme_record(struct arena *a, const struct shape *shape, const void *record)
{
    struct buf b = buf_new(a, 1u << 20);

    shape_write(shape, record, &b);
    return buf_slice(&b);
}

bool acme_load_list(struct work *w, enum table t, struct slice key, struct texts *list,
                    struct slice *raw)
{
    *list = (struct texts){0};
    if (!store_get(w->services->store, t, key, w->arena, raw, w->deadline, &w->err))
        return err_wrap(&w->err, "reading %s", table_name(t));
    if (raw->n == 0)
        return true;
    const struct json *v = json_read(w->arena, *raw, &JSON_RECORD, NULL, NULL);
    if (!v || v->kind != JSON_LIST)
        return true; /* null, or what no version wrote: an empty list */
    list->v = arena_array(w->arena, v->n + 1, sizeof(*list->v));
    for (const struct json *one = v->first; one; one = one->next) {
        if (one->kind == JSON_TEXT)
            list->v[list->n++] = one->text;
    }
    return true;
}

void acme_swap_list(struct work *w, enum table t, struct slice key, struct slice raw,
                    const struct texts *list)
{
    struct buf b = buf_new(w->arena, 4u << 20);

    for (size_t i = 0; i < list->n; i++) {
        buf_byte(&b, i == 0 ? '[' : ',');
        json_put_text(&b, list->v[i]);
    }
    if (list->n > 0)
        buf_byte(&b, ']');
    if (raw.n == 0 && list->n == 0)
        return;
    batch_swap(&w->batch, t, key, raw, list->n > 0 ? buf_slice(&b) : SLICE_NONE);
}

/* In the order of their bytes. */
static const char ALPHABET[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct slice acme_random_id(struct arena *a, struct rng *rng)
{
    char *id = arena_alloc(a, ACME_ID_LENGTH + 1);

    for (size_t n = 0; n < ACME_ID_LENGTH;) {
        uint8_t dice[ACME_ID_LENGTH];
        random_few(rng, dice, ACME_ID_LENGTH - n);
        for (size_t i = 0, wanted = ACME_ID_LENGTH - n; i < wanted; i++) {
            if (dice[i] < 4 * 62) /* else the first letters would come more often */
                id[n++] = ALPHABET[dice[i] % 62];
        }
    }
    return slice_of(id, ACME_ID_LENGTH);
}

struct slice acme_row_id(struct work *w)
{
    struct slice id = acme_random_id(w->arena, w->services->rng);
    int64_t now = w->services->clock->now(w->services->clock).sec;
    uint64_t second = now > 0 ? (uint64_t)now : 0;
    uint8_t *text = arena_alloc(w->arena, id.n + 1);

    memcpy(text, id.p, id.n);
    for (int i = 5; i >= 0; i--, second /= 62)
        text[i] = (uint8_t)ALPHABET[second % 62];
    return slice_of(text, id.n);
}
