/*
 * The built-in files for `step ssh config`; `step ca init --ssh` writes their templates out.  A
 * line about a key that the CA has not is left out.  HostPattern of templates.data narrows the
 * hosts that the CA vouches for.
 */
#include "authority/ssh_files.h"

/* Backslashes and the drive's letter: OpenSSH on Windows wants neither in Include. */
#define ON_WINDOWS "eq (or .User.GOOS \"\") \"windows\""
#define UNIX_PATH                                                                                  \
    "{{- if " ON_WINDOWS " }}{{ $dir = $dir | replace \"\\\\\" \"/\" | trimPrefix \"C:\" }}{{ "    \
    "end -}}\n"
#define KEY_LINE "{{ .Type }} {{ .Marshal | toString | b64enc }}\n"

static const char CONFIG[] =
    "{{- $dir := or .User.StepBasePath .User.StepPath -}}\n" UNIX_PATH "Host *\n"
    "\tInclude \"{{ $dir }}/ssh/includes\"";

static const char STEP_INCLUDES[] =
    "{{- $dir := .User.StepPath -}}\n" UNIX_PATH "Include \"{{ $dir }}/ssh/config\"";

static const char STEP_CONFIG[] =
    "{{- $windows := " ON_WINDOWS " -}}\n"
    "Match exec \"step ssh check-host{{ with .User.Context }} --context {{ . }}{{ end }} %h\"\n"
    "{{- with .User.User }}\n"
    "\tUser {{ . }}\n"
    "{{- end }}\n"
    "\tUserKnownHostsFile \"{{ .User.StepPath }}\n"
    "{{- if $windows }}\\ssh\\known_hosts{{ else }}/ssh/known_hosts{{ end }}\"\n"
    "\tProxyCommand {{ if $windows }}C:\\Windows\\System32\\cmd.exe /c {{ end -}}\n"
    "step ssh proxycommand\n"
    "{{- with .User.Context }} --context {{ . }}{{ end }}\n"
    "{{- if .User.Console }} --console{{ end }}\n"
    "{{- with .User.Provisioner }} --provisioner {{ . }}{{ end }} %r %h %p\n";

static const char KNOWN_HOSTS[] =
    "{{- $hosts := or .HostPattern \"*\" -}}\n"
    "{{- with .Step.SSH.HostKey }}@cert-authority {{ $hosts }} " KEY_LINE "{{ end -}}\n"
    "{{- range .Step.SSH.HostFederatedKeys }}@cert-authority {{ $hosts }} " KEY_LINE "{{ end -}}\n";

/* `Match all` ends a Match block that may stand before: these lines are for everybody. */
static const char SSHD_CONFIG[] = "Match all\n"
                                  "\tTrustedUserCAKeys /etc/ssh/ca.pub\n"
                                  "\tHostCertificate /etc/ssh/{{.User.Certificate}}\n"
                                  "\tHostKey /etc/ssh/{{.User.Key}}";

static const char CA[] = "{{- with .Step.SSH.UserKey }}" KEY_LINE "{{ end -}}\n"
                         "{{- range .Step.SSH.UserFederatedKeys }}" KEY_LINE "{{ end -}}\n";

static const char *const CERTIFICATE_AND_KEY[] = {"Certificate", "Key", NULL};

const struct ssh_builtin SSH_BUILTIN_USER[] = {
    {"config.tpl", "snippet", "~/.ssh/config", CONFIG, NULL},
    {"step_includes.tpl", "prepend-line", "${STEPPATH}/ssh/includes", STEP_INCLUDES, NULL},
    {"step_config.tpl", "file", "ssh/config", STEP_CONFIG, NULL},
    {"known_hosts.tpl", "file", "ssh/known_hosts", KNOWN_HOSTS, NULL},
    {0}};
const struct ssh_builtin SSH_BUILTIN_HOST[] = {
    {"sshd_config.tpl", "snippet", "/etc/ssh/sshd_config", SSHD_CONFIG, CERTIFICATE_AND_KEY},
    {"ca.tpl", "snippet", "/etc/ssh/ca.pub", CA, NULL},
    {0}};
