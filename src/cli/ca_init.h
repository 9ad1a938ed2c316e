/* What the parts of `step ca init` share. */
#pragma once

#include "cli/cli.h"
#include "cli/pki.h"
#include "cli/pki_ssh.h"
#include "client/contexts.h"
#include "json/shape.h"

/* The paths of what is written; NULL: not written. */
struct target {
    const char *path;
    struct slice content;
    unsigned mode;
    const char *label;
};
enum target_kind {
    ROOT_CERT,
    ROOT_KEY,
    INTERMEDIATE_CERT,
    INTERMEDIATE_KEY,
    SSH_USER_LINE,
    SSH_USER_KEY,
    SSH_HOST_LINE,
    SSH_HOST_KEY,
    CONFIGURATION,
    DEFAULTS,
    TARGETS
};

struct init {
    struct invocation *inv;
    struct arena *a;
    struct slice name, address, provisioner;
    struct texts dns;
    struct slice password, provisioner_password;
    struct contexts contexts;
    bool use_context;
    struct context context;
    struct target targets[TARGETS];
    struct target templates[PKI_SSH_TEMPLATES];
    size_t n_templates;
    struct pki_pair root, intermediate;
    struct slice fingerprint;
    const char *base;                      /* where all of it goes: the step path, or HELM_BASE */
    struct json *configuration, *defaults; /* as trees; NULL with --pki */
};
/* The step path of the container that takes the values of --helm. */
#define HELM_BASE "/home/step"
/* Helm values on standard output. */
bool init_print_values(struct init *i) CHECKED;
/* Name, address, names, provisioner and passwords: from flags, else asked for. */
bool init_ask(struct init *i) CHECKED;
