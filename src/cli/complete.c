/*
 * Completion.  The shells' scripts run the typed words again with --generate-bash-completion at the
 * end and get candidates, one a line.  The script for fish is static: it lists the whole tree.
 */
#include <stdio.h>

#include "cli/internal.h"

/* --- Candidates ------------------------------------------------------------------------------ */

struct completion {
    struct buf *b;
    struct arena *a;
    const struct contexts *contexts;
    bool describe;
};

/* zsh's _describe splits at ':'. */
static void candidate(struct completion *c, struct slice name, const char *summary)
{
    buf_put(c->b, name);
    if (c->describe && summary)
        buf_printf(c->b, ":%s", summary);
    buf_byte(c->b, '\n');
}

static bool has_prefix(struct slice text, struct slice prefix)
{
    return text.n >= prefix.n && slice_eq(slice_sub(text, 0, prefix.n), prefix);
}

static bool already_typed(const struct flag *f, int n, char *const *words)
{
    for (int i = 0; i < n; i++) {
        struct slice w = slice_text(words[i]);
        if (!slice_starts(w, "-") || f->kind == FLAG_TEXTS)
            continue;
        w = slice_from(w, slice_starts(w, "--") ? 2 : 1);
        if (flag_has_name(f, slice_sub(w, 0, slice_find(w, '='))))
            return true;
    }
    return false;
}

/* partial begins with '-'. */
static void flag_candidates(struct completion *c, const struct flag *f, struct slice partial, int n,
                            char *const *words)
{
    bool two = slice_starts(partial, "--");
    struct slice prefix = slice_from(partial, two ? 2 : 1);

    for (; f && f->names; f++) {
        struct slice rest = slice_text(f->names), name;
        if (f->bits & FLAG_HIDDEN || already_typed(f, n, words))
            continue;
        while (slice_split(&rest, ',', &name)) {
            if ((two && name.n == 1) || !has_prefix(name, prefix))
                continue;
            const char *dashes = name.n == 1 ? "-" : "--";
            candidate(c, arena_format(c->a, "%s%.*s", dashes, SLICE_ARG(name)), NULL);
        }
    }
}

static void command_candidates(struct completion *c, const struct command *group,
                               struct slice partial, bool top)
{
    static const struct slice HELP[] = {{(const uint8_t *)"help", 4}, {(const uint8_t *)"h", 1}};

    for (size_t i = 0; group->sub[i]; i++) {
        struct slice name = slice_text(group->sub[i]->name);
        if (!group->sub[i]->hidden && has_prefix(name, partial))
            candidate(c, name, group->sub[i]->summary);
    }
    for (size_t i = 0; i < COUNT_OF(HELP) && !slice_empty(partial); i++)
        if (has_prefix(HELP[i], partial) && !(top && i == 0))
            candidate(c, HELP[i], "show help");
}

static void context_candidates(struct completion *c, struct slice partial)
{
    for (size_t i = 0; i < c->contexts->n; i++)
        if (has_prefix(c->contexts->v[i].name, partial))
            candidate(c, c->contexts->v[i].name, NULL);
}

/* The word that the cursor is behind takes a value: which flag is it of? */
static const struct flag *awaits_value(const struct command *c, const char *word)
{
    struct slice name = slice_text(word);

    if (!slice_starts(name, "-") || slice_find(name, '=') < name.n)
        return NULL;
    name = slice_from(name, slice_starts(name, "--") ? 2 : 1);
    for (size_t i = 0; c->flag_sets && c->flag_sets[i]; i++)
        for (const struct flag *f = c->flag_sets[i]; f->names; f++)
            if (f->kind != FLAG_BOOL && flag_has_name(f, name))
                return f;
    return NULL;
}

static void all_flags(struct completion *c, const struct command *command, bool top,
                      struct slice partial, int n, char *const *words)
{
    for (size_t i = 0; command->flag_sets && command->flag_sets[i]; i++)
        flag_candidates(c, command->flag_sets[i], partial, n, words);
    if (top)
        flag_candidates(c, FLAGS_GLOBAL, partial, n, words);
    else if (!already_typed(&FLAGS_EVERYWHERE[0], n, words) && has_prefix(SLICE("--help"), partial))
        candidate(c, SLICE("--help"), NULL);
}

static bool is_value_of_config(int i, char *const *words)
{
    return i > 0 && (strcmp(words[i - 1], "--config") == 0 || strcmp(words[i - 1], "-config") == 0);
}

void complete_words(struct buf *b, struct arena *a, const struct command *root, int n,
                    char *const *words, const struct contexts *contexts, bool describe)
{
    struct completion c = {b, a, contexts, describe};
    const struct command *at = root, *parent = NULL;
    struct slice partial = SLICE("");

    for (int i = 0; i < n; i++) {
        struct slice word = slice_text(words[i]);
        partial = SLICE("");
        if (slice_starts(word, "-")) {
            partial = word;
            continue;
        }
        if (is_value_of_config(i, words) || (at == root && slice_is(word, "help")))
            continue;
        const struct command *next = command_find(at, word);
        if (next) {
            parent = at;
            at = next;
        } else {
            partial = word;
        }
    }
    const char *last = n ? words[n - 1] : "";
    const struct flag *flag = awaits_value(at, last);
    if (flag && flag_has_name(flag, SLICE("context")))
        context_candidates(&c, SLICE(""));
    else if (slice_starts(partial, "-"))
        all_flags(&c, at, at == root, partial, n - 1, words);
    else if (at->sub)
        command_candidates(&c, at, partial, at == root);
    else if (parent && strcmp(parent->name, "context") == 0 && at->most == 1)
        context_candidates(&c, partial);
}

/* --- Scripts --------------------------------------------------------------------------------- */

static const char BASH[] =
    "# bash completion for step.  Load it with: source <(step completion bash)\n"
    "_step_complete()\n"
    "{\n"
    "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" candidates\n"
    "    local -a typed=(\"${COMP_WORDS[@]:0:COMP_CWORD}\")\n"
    "    COMPREPLY=()\n"
    "    if [[ \"$cur\" == -* ]]; then\n"
    "        typed+=(\"$cur\")\n"
    "    fi\n"
    "    candidates=$(\"${typed[@]}\" " COMPLETION_WORD " 2>/dev/null)\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=($(compgen -W \"$candidates\" -- \"$cur\"))\n"
    "}\n"
    "complete -o bashdefault -o default -F _step_complete step\n";

static const char ZSH[] =
    "#compdef step\n"
    "# zsh completion for step.  Put it into a file _step of a directory in $fpath, or load it\n"
    "# with: source <(step completion zsh)\n"
    "_step()\n"
    "{\n"
    "    local cur=\"${words[CURRENT]}\"\n"
    "    local -a typed candidates\n"
    "    typed=(\"${(@)words[1,CURRENT-1]}\")\n"
    "    if [[ \"$cur\" == -* ]]; then\n"
    "        typed+=(\"$cur\")\n"
    "    fi\n"
    "    candidates=(\"${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 \"${(@Q)typed}\" " COMPLETION_WORD
    " 2>/dev/null)}\")\n"
    "    if [[ -n \"${candidates[1]}\" ]]; then\n"
    "        _describe 'step' candidates\n"
    "    else\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "if [[ \"$funcstack[1]\" == _step ]]; then\n"
    "    _step \"$@\"\n"
    "else\n"
    "    compdef _step step\n"
    "fi\n";

/* Inside single quotes of fish: backslash and quote are escaped. */
static void fish_quoted(struct buf *b, const char *text)
{
    buf_byte(b, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_byte(b, '\\');
        buf_byte(b, (uint8_t)(*text == '\n' ? ' ' : *text));
    }
    buf_byte(b, '\'');
}

/* where: __step_at (exactly these words) or __step_in (these words first). */
static void fish_start(struct buf *b, const char *where, const char *words)
{
    buf_printf(b, "complete -c step -n '%s%s%s'", where, *words ? " " : "", words);
}

static void fish_flags(struct buf *b, const char *where, const char *words, const struct flag *f)
{
    for (; f && f->names; f++) {
        struct slice rest = slice_text(f->names), name;
        if (f->bits & FLAG_HIDDEN)
            continue;
        fish_start(b, where, words);
        while (slice_split(&rest, ',', &name))
            buf_printf(b, " -%c %.*s", name.n == 1 ? 's' : 'l', SLICE_ARG(name));
        buf_text(b, f->kind == FLAG_BOOL ? " -f" : f->kind == FLAG_FILE ? " -r" : " -x");
        buf_text(b, " -d ");
        fish_quoted(b, f->help ? f->help : "");
        buf_byte(b, '\n');
    }
}

/* words: of the path so far, without "step", in one text. */
static void fish_command(struct buf *b, struct arena *a, const struct command *c, const char *words)
{
    for (size_t i = 0; c->flag_sets && c->flag_sets[i]; i++)
        fish_flags(b, "__step_in", words, c->flag_sets[i]);
    for (size_t i = 0; c->sub && c->sub[i]; i++) {
        const struct command *sub = c->sub[i];
        if (sub->hidden)
            continue;
        fish_start(b, "__step_at", words);
        buf_printf(b, " -f -a %s -d ", sub->name);
        fish_quoted(b, sub->summary ? sub->summary : "");
        buf_byte(b, '\n');
        fish_command(b, a, sub,
                     *words ? arena_printf(a, "%s %s", words, sub->name)
                            : arena_printf(a, "%s", sub->name));
    }
}

static const char FISH[] =
    "# fish completion for step.  Load it with: step completion fish | source\n"
    "function __step_in\n"
    "    # The words typed so far that are no flags begin with these.\n"
    "    set -l typed\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        string match -q -- '-*' $word; or set -a typed $word\n"
    "    end\n"
    "    test (count $typed) -ge (count $argv); or return 1\n"
    "    for i in (seq (count $argv))\n"
    "        test $typed[$i] = $argv[$i]; or return 1\n"
    "    end\n"
    "end\n"
    "function __step_at\n"
    "    # The words typed so far that are no flags are these.\n"
    "    set -l typed\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        string match -q -- '-*' $word; or set -a typed $word\n"
    "    end\n"
    "    test (count $typed) -eq (count $argv); and __step_in $argv\n"
    "end\n";

bool complete_script(struct buf *b, struct arena *a, const struct command *root, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        buf_text(b, BASH);
    else if (strcmp(shell, "zsh") == 0)
        buf_text(b, ZSH);
    else if (strcmp(shell, "fish") == 0) {
        buf_text(b, FISH);
        fish_flags(b, "__step_at", "", FLAGS_GLOBAL);
        fish_command(b, a, root, "");
    } else {
        return false;
    }
    return true;
}
