/*
 * JSON of certificate policies with their qualifiers (RFC 5280 4.2.1.4).  A qualifier that cannot
 * be understood is left out: the policy is there without it.
 */
#include "x509/show_json.h"

static const struct oid OID_CPS = {(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 2, 1}, 8},
                        OID_USER_NOTICE = {(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 2, 2}, 8};

static struct json *one_of(struct show *s, struct json *value)
{
    struct json *list = json_make_list(s->a);

    json_append(list, value);
    return list;
}

/* NoticeReference: an organization and numbers of its notices. */
static struct json *notice_reference(struct show *s, struct der in)
{
    struct json *o = json_make_object(s->a), *list = json_make_list(s->a);
    struct slice organization;
    struct der numbers;
    int64_t number;

    if (!der_take_string(&in, s->a, &organization) || !der_enter(&in, DER_SEQUENCE, &numbers))
        return NULL;
    while (der_take_int(&numbers, &number))
        json_append(list, json_make_int(s->a, number));
    show_member_text(s, o, "organization", organization);
    show_member(s, o, "notice_numbers", list);
    return der_done(&numbers) && der_done(&in) ? o : NULL;
}

static struct json *user_notice(struct show *s, struct der *info)
{
    struct json *o = json_make_object(s->a), *reference = NULL;
    struct der notice, in;
    struct slice text = SLICE_NONE;

    if (!der_enter(info, DER_SEQUENCE, &notice))
        return NULL;
    if (der_is(&notice, DER_SEQUENCE) && der_enter(&notice, DER_SEQUENCE, &in))
        reference = notice_reference(s, in);
    if (!der_done(&notice) && !der_take_string(&notice, s->a, &text))
        return NULL;
    if (text.p)
        show_member_text(s, o, "explicit_text", text);
    if (reference)
        show_member(s, o, "notice_reference", one_of(s, reference));
    return o;
}

static bool qualifiers(struct show *s, struct der list, struct json *cps, struct json *notices)
{
    struct der info;
    struct slice oid, url;

    while (!der_done(&list)) {
        if (!der_enter(&list, DER_SEQUENCE, &info) || !der_take_oid(&info, &oid))
            return false;
        if (oid_eq(&OID_CPS, oid) && der_take(&info, DER_IA5_STRING, &url))
            json_append(cps, json_make_text(s->a, url));
        struct json *notice = oid_eq(&OID_USER_NOTICE, oid) ? user_notice(s, &info) : NULL;
        if (notice)
            json_append(notices, notice);
    }
    return true;
}

static struct json *policy(struct show *s, struct der in)
{
    struct json *o = json_make_object(s->a), *cps = json_make_list(s->a),
                *notices = json_make_list(s->a);
    struct slice oid;
    struct der list;

    if (!der_take_oid(&in, &oid))
        return NULL;
    if (!der_done(&in) && (!der_enter(&in, DER_SEQUENCE, &list) || !der_done(&in) ||
                           !qualifiers(s, list, cps, notices)))
        return NULL;
    show_member_text(s, o, "id", oid_text(s->a, oid));
    if (cps->n)
        show_member(s, o, "cps", cps);
    if (notices->n)
        show_member(s, o, "user_notice", notices);
    return o;
}

struct json *show_policies(struct show *s, const struct extension *x)
{
    struct der outer = der_reader(x->value), list, in;
    struct json *all = json_make_list(s->a);

    if (!der_enter(&outer, DER_SEQUENCE, &list) || !der_done(&outer))
        return NULL;
    while (!der_done(&list)) {
        struct json *one = der_enter(&list, DER_SEQUENCE, &in) ? policy(s, in) : NULL;
        if (!one)
            return NULL;
        json_append(all, one);
    }
    return all->n ? all : NULL;
}
