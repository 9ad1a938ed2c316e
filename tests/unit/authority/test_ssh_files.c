/* What `step ssh config` is answered with: the built-in files byte for byte, and an operator's. */
#include "ssh_testing.h"

#include "authority/ssh_files.h"
#include "base/encode.h"

static struct steppath paths;

static int setup(void **state)
{
    if (ssh_begin(state) != 0)
        return -1;
    paths = (struct steppath){.home = W.dir, .base = W.dir, .path = W.dir};
    S.ca.federation = S.ca.roots;
    world_services(true);
    W.s.sp = &paths;
    return 0;
}

/* Publishes an authority with these files; false: they are refused. */
static bool open_files(const char *templates, struct err *why)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct config *c;

    json_change(W.config, "templates", templates);
    ok(config_read(a, arena_copy(a, json_line(W.config)), "ca.json", &c, NULL, NULL, e));
    ok(config_validate(a, c, NULL, NULL, e));
    arena_defer(A, (void (*)(void *))arena_free, a);
    if (!ssh_files_build(a, c, &paths, &S.ca.files, why))
        return false;
    ssh_load();
    return true;
}

static struct json *answered(uint32_t type, const char *data)
{
    struct work w = work_new();
    struct slice body = SLICE_NONE;

    work_ok(&w, ssh_files_render(&w, type, data ? json_of(data) : NULL, &body));
    return json_of(arena_cstr(A, body));
}

static const struct json *file_at(const struct json *answer, const char *list, size_t i)
{
    const struct json *v = json_get_exact(answer, list);

    assert_non_null(v);
    v = v->first;
    while (v && i-- > 0)
        v = v->next;
    assert_non_null(v);
    return v;
}

static const char *content_of(const struct json *file)
{
    struct slice text = SLICE_NONE;

    assert_true(base64_read(A, BASE64_STD, json_text(json_get(file, "content")), &text));
    return arena_cstr(A, text);
}

static const char *line_of(const struct private_key *key, const char *before)
{
    struct slice blob = ssh_key_of(key).blob;

    return arena_printf(A, "%s%.*s\n", before,
                        SLICE_ARG(slice_sub(ssh_line_make(A, blob, SLICE("")), 0,
                                            ssh_line_make(A, blob, SLICE("")).n - 1)));
}

static void the_built_in_files_are_exact(void **state)
{
    static const struct {
        const char *data, *config, *includes, *step_config;
    } ROWS[] = {
        {NULL, "Host *\n\tInclude \"<no value>/ssh/includes\"", "Include \"<no value>/ssh/config\"",
         "Match exec \"step ssh check-host %h\"\n\tUserKnownHostsFile "
         "\"<no value>/ssh/known_hosts\"\n\tProxyCommand step ssh proxycommand %r %h %p\n"},
        {"{\"StepPath\":\"/p\"}", "Host *\n\tInclude \"/p/ssh/includes\"",
         "Include \"/p/ssh/config\"",
         "Match exec \"step ssh check-host %h\"\n\tUserKnownHostsFile "
         "\"/p/ssh/known_hosts\"\n\tProxyCommand step ssh proxycommand %r %h %p\n"},
        {"{\"GOOS\":\"linux\",\"StepPath\":\"/p\",\"StepBasePath\":\"/b\",\"Context\":\"c\","
         "\"Console\":\"true\",\"Provisioner\":\"w\",\"User\":\"u\"}",
         "Host *\n\tInclude \"/b/ssh/includes\"", "Include \"/p/ssh/config\"",
         "Match exec \"step ssh check-host --context c %h\"\n\tUser u\n\tUserKnownHostsFile "
         "\"/p/ssh/known_hosts\"\n\tProxyCommand step ssh proxycommand --context c --console "
         "--provisioner w %r %h %p\n"},
        {"{\"GOOS\":\"windows\",\"StepPath\":\"C:\\\\p\\\\q\",\"StepBasePath\":\"D:\\\\b\"}",
         "Host *\n\tInclude \"D:/b/ssh/includes\"", "Include \"/p/q/ssh/config\"",
         "Match exec \"step ssh check-host %h\"\n\tUserKnownHostsFile "
         "\"C:\\p\\q\\ssh\\known_hosts\"\n\tProxyCommand C:\\Windows\\System32\\cmd.exe /c step "
         "ssh proxycommand %r %h %p\n"},
    };

    (void)state;
    ok(open_files(NULL, e));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *v = answered(SSH_USER, ROWS[i].data);
        assert_string_equal(content_of(file_at(v, "userTemplates", 0)), ROWS[i].config);
        assert_string_equal(content_of(file_at(v, "userTemplates", 1)), ROWS[i].includes);
        assert_string_equal(content_of(file_at(v, "userTemplates", 2)), ROWS[i].step_config);
        assert_string_equal(content_of(file_at(v, "userTemplates", 3)),
                            line_of(S.host, "@cert-authority * "));
        assert_int_equal(json_get(v, "userTemplates")->n, 4);
        assert_null(json_get(v, "hostTemplates"));
    }
    struct json *v = answered(SSH_HOST, "{\"Certificate\":\"c\",\"Key\":\"k\"}");
    assert_string_equal(content_of(file_at(v, "hostTemplates", 0)),
                        "Match all\n\tTrustedUserCAKeys /etc/ssh/ca.pub\n\tHostCertificate "
                        "/etc/ssh/c\n\tHostKey /etc/ssh/k");
    assert_string_equal(content_of(file_at(v, "hostTemplates", 1)), line_of(S.user, ""));
    assert_slice(json_text(json_get(file_at(v, "hostTemplates", 1), "path")), "/etc/ssh/ca.pub");
    assert_slice(json_text(json_get(file_at(v, "hostTemplates", 1), "type")), "snippet");
    assert_slice(json_text(json_get(file_at(v, "hostTemplates", 1), "comment")), "#");
}

static void federated_keys_follow(void **state)
{
    struct ssh_key keys[] = {ssh_key_of(S.host), ssh_key_of(S.key), ssh_key_of(S.user)};
    struct json *v;

    (void)state;
    ok(open_files(NULL, e));
    S.ca.federation.host = S.ca.federation.user = (struct ssh_keys){keys, 3};
    v = answered(SSH_USER, NULL);
    assert_string_equal(content_of(file_at(v, "userTemplates", 3)),
                        arena_printf(A, "%s%s%s", line_of(S.host, "@cert-authority * "),
                                     line_of(S.key, "@cert-authority * "),
                                     line_of(S.user, "@cert-authority * ")));
}

static void a_key_that_is_missing_costs_its_lines_only(void **state)
{
    static const char OLD[] = /* as configurations in the field have it */
        "# hosts\n@cert-authority * {{.Step.SSH.HostKey.Type}} {{.Step.SSH.HostKey.Marshal | "
        "toString | b64enc}}\n{{- range .Step.SSH.HostFederatedKeys}}\n@cert-authority * {{.Type}}"
        "\n{{- end }}\n{{ if .Step.SSH.HostKey }}there{{ else }}not there{{ end }}";
    static const char FILES[] =
        "{\"ssh\":{\"user\":[{\"name\":\"n\",\"type\":\"file\",\"path\":\"p\",\"template\":"
        "\"t.tpl\"}]}}";
    struct json *v;

    (void)state;
    ok(open_files(NULL, e));
    S.ca.host = (struct ssh_signer){0};
    S.ca.federation.host = (struct ssh_keys){0};
    v = answered(SSH_USER, NULL);
    assert_string_equal(content_of(file_at(v, "userTemplates", 3)), "");
    world_put("t.tpl", slice_text(OLD));
    ok(open_files(FILES, e));
    v = answered(SSH_USER, NULL);
    assert_string_equal(content_of(file_at(v, "userTemplates", 0)), "# hosts\nnot there");
    S.ca.user = (struct ssh_signer){0};
    struct work w = work_new();
    struct slice body;
    work_refused(&w, ssh_files_render(&w, SSH_USER, NULL, &body), ERR_NOT_FOUND, "SSH");
}

static void old_clients_get_a_file_for_prepend_line(void **state)
{
    static const struct {
        const char *data, *type, *path;
    } ROWS[] = {
        {NULL, "file", "ssh/includes"},
        {"{\"GOOS\":\"linux\"}", "file", "ssh/includes"},
        {"{\"StepSSHTemplateVersion\":\"v2\"}", "prepend-line", "${STEPPATH}/ssh/includes"},
        {"{\"StepSSHTemplateVersion\":\"\"}", "prepend-line", "${STEPPATH}/ssh/includes"},
    };

    (void)state;
    ok(open_files(NULL, e));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct json *f = file_at(answered(SSH_USER, ROWS[i].data), "userTemplates", 1);
        assert_slice(json_text(json_get(f, "name")), "step_includes.tpl");
        assert_slice(json_text(json_get(f, "type")), ROWS[i].type);
        assert_slice(json_text(json_get(f, "path")), ROWS[i].path);
    }
}

static void an_operators_files_replace_the_built_in_ones(void **state)
{
    static const char FILES[] =
        "{\"ssh\":{\"user\":[{\"name\":\"a\",\"type\":\"file\",\"path\":\"p\",\"template\":"
        "\"t.tpl\"},{\"name\":\"d\",\"type\":\"directory\",\"path\":\"dir\"}]},"
        "\"data\":{\"Domain\":\"corp.test\",\"N\":3}}";
    struct json *v;

    (void)state;
    ok(open_files("{}", e));
    assert_slice(json_line(answered(SSH_USER, NULL)), "{}");
    assert_slice(json_line(answered(SSH_HOST, NULL)), "{}");
    world_put("t.tpl", SLICE("{{.Domain}} {{.N}} {{.User.X}} {{ upper .Domain }}"));
    ok(open_files(FILES, e));
    v = answered(SSH_USER, "{\"X\":\"x\"}");
    assert_string_equal(content_of(file_at(v, "userTemplates", 0)), "corp.test 3 x CORP.TEST");
    assert_slice(json_text(json_get(file_at(v, "userTemplates", 0), "comment")), "#");
    assert_int_equal(json_get(file_at(v, "userTemplates", 1), "content")->kind, JSON_NULL);
    assert_slice(json_line(answered(SSH_HOST, NULL)), "{}");
    world_put("t.tpl", SLICE("edited"));
    v = answered(SSH_USER, NULL);
    assert_string_equal(content_of(file_at(v, "userTemplates", 0)), "edited");
}

static void trouble_in_a_request_is_the_operators(void **state)
{
    static const char FILES[] =
        "{\"ssh\":{\"user\":[{\"name\":\"a\",\"type\":\"file\",\"path\":\"p\",\"template\":"
        "\"t.tpl\"}]}}";
    static const struct {
        const char *source;
        enum err_kind kind;
        const char *says;
    } ROWS[] = {
        {"{{", ERR_INTERNAL, "t.tpl"},
        {"{{ .Step.SSH.Nothing.Type.X }}{{ index .Step 1 }}", ERR_INTERNAL, "a: template: a:1"},
        {"{{ fail \"not you\" }}", ERR_MALFORMED, "not you"},
    };
    struct work w;
    struct slice body;

    (void)state;
    world_put("t.tpl", SLICE("good"));
    ok(open_files(FILES, e));
    w = work_new();
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        world_put("t.tpl", slice_text(ROWS[i].source));
        work_refused(&w, ssh_files_render(&w, SSH_USER, NULL, &body), ROWS[i].kind, ROWS[i].says);
    }
    assert_int_equal(unlink(world_path("t.tpl")), 0);
    work_refused(&w, ssh_files_render(&w, SSH_USER, NULL, &body), ERR_INTERNAL, "t.tpl");
}

static void files_are_tried_when_the_configuration_is_read(void **state)
{
    static const char FILES[] =
        "{\"ssh\":{\"user\":[{\"name\":\"a\",\"type\":\"directory\",\"path\":\"p\"},{\"name\":"
        "\"a\",\"type\":\"file\",\"path\":\"p\",\"template\":\"t.tpl\"}]}}";

    (void)state;
    refused(open_files(FILES, e), ERR_NOT_FOUND, "templates.ssh.user[1].template: open");
    assert_int_equal(mkdir(world_path("t.tpl"), 0700), 0);
    refused(open_files(FILES, e), ERR_MALFORMED, "t.tpl is not a regular file");
    assert_int_equal(rmdir(world_path("t.tpl")), 0);
    world_put("t.tpl", SLICE("line\n{{ if }}"));
    refused(open_files(FILES, e), ERR_MALFORMED, "template: a:2");
    world_put("t.tpl", SLICE("{{ env \"HOME\" }}"));
    refused(open_files(FILES, e), ERR_MALFORMED, "env");
}

static void data_is_judged(void **state)
{
    static const struct {
        const char *data, *says;
    } ROWS[] = {
        {"{}", "sshd_config.tpl needs a value for Certificate; please use: step ssh config --host "
               "--set Certificate=VALUE --set Key=VALUE"},
        {"{\"Certificate\":\"c\"}", "needs a value for Key; please use: step ssh config --host "
                                    "--set Certificate=c --set Key=VALUE"},
        {"{\"certificate\":\"c\",\"Key\":\"k\"}", "needs a value for Certificate"},
        {"{\"Certificate\":\"a\\nPermitRootLogin yes\",\"Key\":\"k\"}",
         "data.Certificate: control characters"},
        {"{\"a\\u0000b\":\"c\"}", "control characters"},
        {"{\"x\":\"\\u007f\"}", "control characters"},
        {"{\"Certificate\":1,\"Key\":\"k\"}", "data.Certificate: expected a text"},
        {"[]", "data: expected an object"},
    };
    struct work w;
    struct slice body;

    (void)state;
    ok(open_files(NULL, e));
    w = work_new();
    work_refused(&w, ssh_files_render(&w, SSH_HOST, NULL, &body), ERR_MALFORMED, "Certificate");
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        work_refused(&w, ssh_files_render(&w, SSH_HOST, json_of(ROWS[i].data), &body),
                     ERR_MALFORMED, ROWS[i].says);
}

static void the_old_sshd_template_requires_its_values(void **state)
{
    static const char FILES[] =
        "{\"ssh\":{\"host\":[{\"name\":\"sshd_config.tpl\",\"type\":\"snippet\",\"path\":\"p\","
        "\"template\":\"t.tpl\"}]}}";
    struct work w;
    struct slice body;

    (void)state;
    world_put("t.tpl", arena_format(A, "\n%s\n", SSH_BUILTIN_HOST[0].source));
    ok(open_files(FILES, e));
    w = work_new();
    work_refused(&w, ssh_files_render(&w, SSH_HOST, NULL, &body), ERR_MALFORMED, "Certificate");
    world_put("t.tpl", SLICE("HostKey {{ .User.Key }}"));
    ok(open_files(FILES, e));
    struct json *v = answered(SSH_HOST, NULL);
    assert_string_equal(content_of(file_at(v, "hostTemplates", 0)), "HostKey <no value>");
}

static void a_pattern_narrows_the_hosts(void **state)
{
    static const char FILES[] =
        "{\"ssh\":{\"user\":[{\"name\":\"known_hosts.tpl\",\"type\":\"file\",\"path\":\"p\","
        "\"template\":\"t.tpl\"}]},\"data\":{\"HostPattern\":\"*.corp.test\"}}";

    (void)state;
    world_put("t.tpl", slice_text(SSH_BUILTIN_USER[3].source));
    ok(open_files(FILES, e));
    assert_string_equal(content_of(file_at(answered(SSH_USER, NULL), "userTemplates", 0)),
                        line_of(S.host, "@cert-authority *.corp.test "));
}

int main(void)
{
#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)
    const struct CMUnitTest tests[] = {
        FILES_TEST(the_built_in_files_are_exact),
        FILES_TEST(federated_keys_follow),
        FILES_TEST(a_key_that_is_missing_costs_its_lines_only),
        FILES_TEST(old_clients_get_a_file_for_prepend_line),
        FILES_TEST(an_operators_files_replace_the_built_in_ones),
        FILES_TEST(trouble_in_a_request_is_the_operators),
        FILES_TEST(files_are_tried_when_the_configuration_is_read),
        FILES_TEST(data_is_judged),
        FILES_TEST(the_old_sshd_template_requires_its_values),
        FILES_TEST(a_pattern_narrows_the_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
