/* Objects that templates look into, and values made by hand. */
#include "template_testing.h"

struct person {
    const char *name;
    int64_t age;
    const struct person *boss;
    bool secret_read;
};

static bool get_name(struct trun *run, const void *self, struct tvalue *out)
{
    (void)run;
    *out = tvalue_text(slice_text(((const struct person *)self)->name));
    return true;
}

static bool get_age(struct trun *run, const void *self, struct tvalue *out)
{
    (void)run;
    *out = tvalue_int(((const struct person *)self)->age);
    return true;
}

static bool get_trouble(struct trun *run, const void *self, struct tvalue *out)
{
    (void)self, (void)out;
    return trun_fail(run, "the field cannot be read");
}

static bool get_tags(struct trun *run, const void *self, struct tvalue *out)
{
    const struct slice tags[] = {SLICE("x"), SLICE("y")};

    (void)self;
    *out = tvalue_texts(trun_arena(run), &TTYPE_TEXTS, tags, 2);
    return true;
}

static bool get_nothing(struct trun *run, const void *self, struct tvalue *out)
{
    (void)run, (void)self, (void)out;
    return true;
}

static bool greet(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                  struct tvalue *out)
{
    const struct person *p = self->self;
    *out = tvalue_text(
        slice_text(arena_printf(trun_arena(run), "%.*s, %s", SLICE_ARG(args[0].text), p->name)));
    return true;
}

static bool older(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                  struct tvalue *out)
{
    const struct person *a = self->self, *b = args[0].self;

    (void)run;
    *out = tvalue_bool(a->age > b->age);
    return true;
}

static const struct tfield FIELDS[] = {
    {"Name", "name", true, get_name},
    {"Age", "age", true, get_age},
    {"Tags", "tags", false, get_tags},
    {"Nothing", "nothing", true, get_nothing},
};
static const struct tmethod METHODS[] = {{"Greet", "s", greet}, {"Older", "o", older}};
static const struct ttype PERSON = {.name = "test.Person",
                                    .kind = "struct",
                                    .is = T_OBJECT,
                                    .fields = FIELDS,
                                    .n_fields = COUNT_OF(FIELDS),
                                    .methods = METHODS,
                                    .n_methods = COUNT_OF(METHODS)};
static const struct ttype POINTER = {.name = "*test.Person",
                                     .kind = "ptr",
                                     .is = T_OBJECT,
                                     .fields = FIELDS,
                                     .n_fields = COUNT_OF(FIELDS)};
static const struct tfield BAD_FIELDS[] = {{"Bad", "bad", false, get_trouble}};
static const struct ttype BAD = {.name = "test.Bad",
                                 .kind = "struct",
                                 .is = T_OBJECT,
                                 .fields = BAD_FIELDS,
                                 .n_fields = COUNT_OF(BAD_FIELDS)};

static bool shout(const struct tvalue *v, struct buf *out)
{
    buf_text(out, "<");
    buf_text(out, ((const struct person *)v->self)->name);
    buf_text(out, ">");
    return true;
}
static const struct ttype WITH_TEXT = {
    .name = "test.Named", .kind = "struct", .is = T_OBJECT, .text = shout};

static const struct person ANN = {"Ann", 40, NULL, false}, BOB = {"Bob", 30, NULL, false},
                           NOBODY = {"", 0, NULL, false};

static void people(struct attempt *t)
{
    give(t, "ann", tvalue_object(&PERSON, &ANN));
    give(t, "bob", tvalue_object(&PERSON, &BOB));
    give(t, "nobody", tvalue_object(&PERSON, &NOBODY));
    give(t, "ptr", tvalue_object(&POINTER, &ANN));
    give(t, "null", tvalue_object(&POINTER, NULL));
    give(t, "bad", tvalue_object(&BAD, &ANN));
    give(t, "named", tvalue_object(&WITH_TEXT, &ANN));
}

static void fields_and_methods_are_looked_up_by_name(void **state)
{
    struct attempt *t = *state;

    people(t);
    assert_output(t, "{{ .ann.Name }} {{ .ann.Age }} {{ index .ann.Tags 1 }} {{ .ann.Nothing }}",
                  "Ann 40 y <no value>");
    assert_output(t, "{{ .ann.Greet \"Hi\" }}|{{ \"Ho\" | .bob.Greet }}|{{ .ann.Older .bob }}",
                  "Hi, Ann|Ho, Bob|true");
    assert_output(t, "{{ with .ann }}{{ .Name }}{{ end }}{{ if .nobody }}T{{ end }}", "AnnT");
    assert_error(t, "{{ .ann.name }}", ERR_INTERNAL,
                 "template: t:1:7: executing \"t\" at <.ann.name>: can't evaluate field name in "
                 "type test.Person");
    assert_error(t, "{{ .ann.Name \"x\" }}", ERR_INTERNAL, "template: t:1:7: ");
    assert_error(t, "{{ .ann.Greet }}", ERR_INTERNAL, "template: t:1:7: ");
    assert_error(t, "{{ .ann.Greet 5 }}", ERR_INTERNAL, "template: t:1:14: ");
    assert_error(t, "{{ .ann.Older .ptr }}", ERR_INTERNAL, "template: t:1:14: ");
    assert_error(t, "{{ get .ann \"Name\" }}", ERR_INTERNAL, "template: t:1:7: ");
}

static void objects_print_and_encode_from_their_fields(void **state)
{
    struct attempt *t = *state;

    people(t);
    assert_output(t, "{{ .ann }}|{{ print .ptr }}|{{ printf \"%+v\" .bob }}",
                  "{Ann 40 [x y] <nil>}|&{Ann 40 [x y] <nil>}|{Name:Bob Age:30 Tags:[x y] "
                  "Nothing:<nil>}");
    assert_output(
        t, "{{ toJson .ann }}{{ toJson .nobody }}{{ toJson .null }}",
        "{\"name\":\"Ann\",\"age\":40,\"tags\":[\"x\",\"y\"]}{\"tags\":[\"x\",\"y\"]}null");
    assert_output(t,
                  "{{ typeOf .ann }} {{ kindOf .ann }} {{ typeOf .ptr }} {{ kindOf .ptr }} "
                  "{{ typeIs \"*test.Person\" .ptr }} {{ typeIsLike \"test.Person\" .ptr }}",
                  "test.Person struct *test.Person ptr true true");
    assert_output(t,
                  "{{ .named }} {{ toString .named }} {{ printf \"%s %q\" .named .named }} "
                  "{{ print (list .named) }}",
                  "<Ann> <Ann> <Ann> \"<Ann>\" [<Ann>]");
}

static void nil_pointers_are_empty_and_lead_nowhere(void **state)
{
    struct attempt *t = *state;

    people(t);
    assert_output(t,
                  "{{ if .null }}T{{ else }}F{{ end }} {{ default \"d\" .null }} {{ .null }} "
                  "{{ eq .null nil }} {{ empty .ptr }}",
                  "F d <nil> true false");
    assert_error(t, "{{ .null.Name }}", ERR_INTERNAL,
                 "template: t:1:8: executing \"t\" at <.null.Name>: nil pointer evaluating "
                 "*test.Person.Name");
}

static void fields_that_fail_end_the_run(void **state)
{
    struct attempt *t = *state;

    people(t);
    assert_error(t, "{{ .bad.Bad }}", ERR_INTERNAL, "template: t:1:7: ");
    assert_non_null(strstr(t->e.text, "the field cannot be read"));
    assert_error(t, "{{ mustToJson .bad }}", ERR_INTERNAL, "template: t:1:3: ");
    assert_error(t, "{{ .bad }}", ERR_INTERNAL, "template: t:1:3: ");
}

static void set_changes_the_callers_data(void **state)
{
    struct attempt *t = *state;
    const struct tvalue *v;

    assert_output(t, "{{ $_ := set . \"new\" 5 }}{{ $_ := unset . \"old\" }}{{ .new }}", "5");
    v = tmap_get(t->data.map, SLICE("new"));
    assert_non_null(v);
    assert_int_equal(v->kind, T_INT);
}

static void maps_keep_their_names_in_order(void **state)
{
    static const char *const NAMES[] = {"m", "z", "a", "b", "aa", "", "zz", "m"};
    struct attempt *t = *state;
    struct tvalue m = tvalue_map(t->a, &TTYPE_MAP);

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        tmap_set(m.map, t->a, slice_text(NAMES[i]), tvalue_int((int64_t)i));
    assert_int_equal(m.map->n, COUNT_OF(NAMES) - 1);
    for (size_t i = 1; i < m.map->n; i++)
        assert_true(slice_cmp(m.map->members[i - 1].name, m.map->members[i].name) < 0);
    assert_int_equal(tmap_get(m.map, SLICE("m"))->i, 7);
    assert_null(tmap_get(m.map, SLICE("x")));
    assert_true(tmap_remove(m.map, SLICE("aa")));
    assert_false(tmap_remove(m.map, SLICE("aa")));
    assert_null(tmap_get(m.map, SLICE("aa")));
    assert_int_equal(tmap_get(m.map, SLICE("zz"))->i, 6);
}

static void json_goes_in_and_out(void **state)
{
    static const char TEXT[] = "{\"b\":[1,2.5,\"x\",null,true,{}],\"a\":{\"c\":1e21}}";
    static const struct json_rules RULES = {.depth = 10, .values = 100};
    struct attempt *t = *state;
    struct buf b = buf_new(t->a, 1000);
    const struct json *j = json_read(t->a, slice_text(TEXT), &RULES, NULL, NULL);

    assert_non_null(j);
    struct tvalue v = tvalue_from_json(t->a, j);
    assert_true(tvalue_put_json(&b, &v, t->a, NULL));
    assert_string_equal(arena_cstr(t->a, buf_slice(&b)),
                        "{\"a\":{\"c\":1e+21},\"b\":[1,2.5,\"x\",null,true,{}]}");
    v = tvalue_object(&BAD, &ANN);
    assert_false(tvalue_put_json(&b, &v, t->a, &t->e));
    assert_string_equal(t->e.text, "the field cannot be read");
}

static void named_lists_go_where_their_plain_type_goes(void **state)
{
    static const struct ttype MULTI = {.name = "test.Multi",
                                       .kind = "slice",
                                       .is = T_LIST,
                                       .elem = &TTYPE_TEXT,
                                       .plain = &TTYPE_TEXTS};
    const struct slice texts[] = {SLICE("b"), SLICE("a")};
    struct attempt *t = *state;

    give(t, "multi", tvalue_texts(t->a, &MULTI, texts, 2));
    give(t, "bytes", tvalue_bytes(SLICE("\x01\xff")));
    give(t, "none", tvalue_bytes(SLICE_NONE));
    assert_output(t,
                  "{{ .multi }} {{ typeOf .multi }} {{ kindOf .multi }} {{ sortAlpha .multi }} "
                  "{{ join \"-\" .multi }} {{ toJson .multi }} {{ len .multi }}",
                  "[b a] test.Multi slice [a b] b-a [\"b\",\"a\"] 2");
    assert_output(t,
                  "{{ .bytes }} {{ toJson .bytes }} {{ toJson .none }} {{ printf \"%x\" .bytes }} "
                  "{{ typeOf .bytes }} {{ index .bytes 1 }} {{ range .bytes }}{{ . }},{{ end }}",
                  "[1 255] \"Af8=\" null 01ff []uint8 255 1,255,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, attempt_up, attempt_down)
        TEST(fields_and_methods_are_looked_up_by_name),
        TEST(objects_print_and_encode_from_their_fields),
        TEST(nil_pointers_are_empty_and_lead_nowhere),
        TEST(fields_that_fail_end_the_run),
        TEST(set_changes_the_callers_data),
        TEST(maps_keep_their_names_in_order),
        TEST(json_goes_in_and_out),
        TEST(named_lists_go_where_their_plain_type_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
