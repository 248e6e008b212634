/*
 * What this room is for.      Turns argv into a command, options, names and words.
 * What it may touch.          base only: no I/O.
 * Who calls it.               dispatch.c, tests/unit/ui/args_test.c
 * The one invariant.          Nothing is guessed: what is in no table is an error with a suggestion.
 */
#include "ui/args.h"

#include <errno.h>
#include <string.h>

#include "base/table.h"

const struct option_row global_options[] = {
    {"file", 'f', OPTION_VALUE, "FILE", "the definition (INI, or a Procfile)"},
    {"directory", 'C', OPTION_VALUE, "DIR", "as if started there"},
    {"env-file", 'e', OPTION_LIST, "FILE", "export this dotenv file to every service"},
    {"project", 'p', OPTION_VALUE, "NAME", "instead of [stack] name"},
    {"profile", 0, OPTION_LIST, "NAME", "more of the stack"},
    {"with", 0, OPTION_LIST, "NAME", "one more service"},
    {"except", 'x', OPTION_LIST, "NAME", "one service less"},
    {"json", 0, OPTION_FLAG, NULL, "machine output on stdout"},
    {"quiet", 'q', OPTION_FLAG, NULL, "less news on stderr"},
    {"verbose", 'v', OPTION_FLAG, NULL, "more news on stderr"},
    {"color", 0, OPTION_VALUE, "auto|always|never", "colours"},
    {"yes", 'y', OPTION_FLAG, NULL, "answer questions with yes"},
    {"no-input", 0, OPTION_FLAG, NULL, "ask nothing"},
    {"help", 'h', OPTION_FLAG, NULL, "help on roadie or on the command"},
    {"version", 0, OPTION_FLAG, NULL, "the version"},
};
const size_t global_option_count = COUNT_OF(global_options);

struct parser {
    const struct command_row *commands;
    size_t command_count;
    char *const *argv;
    size_t argc;
    size_t at;          /* of the word under way */
    struct arena *arena;
    struct args *out;
    struct fault *why;
};

static int read_word(struct parser *p, char *word, bool *stop);
static int read_long(struct parser *p, const char *word);
static int read_shorts(struct parser *p, const char *word);

int args_parse(const struct command_row *commands, size_t command_count, int argc, char *const *argv,
               struct arena *arena, struct args *out, struct fault *why)
{
    struct parser p = {
        .commands = commands,
        .command_count = command_count,
        .argv = argv,
        .argc = argc > 0 ? (size_t)argc : 0,
        .arena = arena,
        .out = out,
        .why = why,
    };
    *out = (struct args){0};
    size_t room = p.argc + 1;
    out->names = arena_alloc(arena, room * sizeof *out->names);
    /* A bundle of short flags holds more than one option in a word. */
    for (size_t i = 1; i < p.argc; i++) {
        room += strlen(argv[i]);
    }
    out->rows = arena_alloc(arena, room * sizeof *out->rows);
    out->texts = arena_alloc(arena, room * sizeof *out->texts);
    bool stop = false;
    for (p.at = 1; p.at < p.argc && !stop; p.at++) {
        int rc = read_word(&p, argv[p.at], &stop);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct command_row *args_command(const struct command_row *commands, size_t count,
                                       const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i].name, name) == 0 ||
            (commands[i].alias != NULL && strcmp(commands[i].alias, name) == 0)) {
            return &commands[i];
        }
    }
    return NULL;
}

bool args_flag(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->count; i++) {
        if (strcmp(args->rows[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *args_text(const struct args *args, const char *name)
{
    for (size_t i = args->count; i > 0; i--) {
        if (strcmp(args->rows[i - 1]->name, name) == 0) {
            return args->texts[i - 1];
        }
    }
    return NULL;
}

char **args_list(const struct args *args, const char *name, struct arena *arena)
{
    char **list = arena_alloc(arena, (args->count + 1) * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < args->count; i++) {
        if (strcmp(args->rows[i]->name, name) == 0) {
            list[count++] = arena_strdup(arena, args->texts[i]);
        }
    }
    return count > 0 ? list : NULL;
}

bool args_want_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

/* Everything from the word behind at on belongs to the program that is to run. */
static void take_words(struct parser *p, size_t from)
{
    struct args *out = p->out;
    out->words = arena_alloc(p->arena, (p->argc - from + 1) * sizeof *out->words);
    for (size_t i = from; i < p->argc; i++) {
        out->words[out->word_count++] = p->argv[i];
    }
}

static int read_command(struct parser *p, const char *word)
{
    p->out->command = args_command(p->commands, p->command_count, word);
    if (p->out->command != NULL) {
        p->out->echo = strcmp(word, "echo") == 0;
        return 0;
    }
    (void)fault_set(p->why, -EINVAL, "there is no command \"%s\"", word);
    const char *nearest = table_nearest(p->commands, p->command_count, sizeof p->commands[0],
                                        span_of(word));
    return nearest != NULL ? fault_hint(p->why, "did you mean \"%s\"?", nearest)
                           : fault_hint(p->why, "roadie help lists the commands");
}

static int read_name(struct parser *p, char *word)
{
    struct args *out = p->out;
    unsigned traits = out->command->traits;
    if ((traits & (COMMAND_NAMES | COMMAND_ONE_NAME)) == 0) {
        (void)fault_set(p->why, -EINVAL, "%s takes no names, but got \"%s\"", out->command->name, word);
        return fault_hint(p->why, "roadie %s -h shows what it takes", out->command->name);
    }
    if ((traits & COMMAND_ONE_NAME) != 0 && out->name_count == 1) {
        (void)fault_set(p->why, -EINVAL, "%s takes one name, but got \"%s\" and \"%s\"",
                        out->command->name, out->names[0], word);
        return (traits & COMMAND_WORDS) != 0
                   ? fault_hint(p->why, "put -- before the command: roadie %s %s -- %s …",
                                out->command->name, out->names[0], word)
                   : p->why->code;
    }
    out->names[out->name_count++] = word;
    return 0;
}

static int read_rest(struct parser *p)
{
    const struct command_row *command = p->out->command;
    if (command == NULL) {
        return fault_set(p->why, -EINVAL, "no command before --");
    }
    if ((command->traits & COMMAND_WORDS) != 0) {
        take_words(p, p->at + 1);
        return 0;
    }
    for (p->at++; p->at < p->argc; p->at++) {
        int rc = read_name(p, p->argv[p->at]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int read_word(struct parser *p, char *word, bool *stop)
{
    if (strcmp(word, "--") == 0) {
        *stop = true;
        return read_rest(p);
    }
    if (word[0] == '-' && word[1] == '-') {
        return read_long(p, word + 2);
    }
    if (word[0] == '-' && word[1] != '\0') {
        return read_shorts(p, word + 1);
    }
    if (p->out->command == NULL) {
        return read_command(p, word);
    }
    if ((p->out->command->traits & COMMAND_WORDS_BARE) != 0 && p->out->name_count == 1) {
        *stop = true;
        take_words(p, p->at);
        return 0;
    }
    return read_name(p, word);
}

static void add_option(struct parser *p, const struct option_row *row, const char *text)
{
    p->out->rows[p->out->count] = row;
    p->out->texts[p->out->count++] = text;
}

/* The value behind an option: attached, or the next word. */
static int add_with_value(struct parser *p, const struct option_row *row, const char *attached,
                          const char *shown)
{
    if (attached == NULL) {
        if (p->at + 1 >= p->argc) {
            (void)fault_set(p->why, -EINVAL, "%s needs a value: %s", shown, row->value);
            return p->why->code;
        }
        attached = p->argv[++p->at];
    }
    add_option(p, row, attached);
    return 0;
}

static const struct option_row *find_long(const struct option_row *rows, size_t count,
                                          struct span name)
{
    return count == 0 ? NULL : table_find(rows, count, sizeof rows[0], name);
}

static int unknown_long(struct parser *p, struct span name)
{
    const struct command_row *command = p->out->command;
    const char *nearest = NULL;
    if (command != NULL && command->option_count > 0) {
        nearest = table_nearest(command->options, command->option_count,
                                sizeof command->options[0], name);
    }
    if (nearest == NULL) {
        nearest = TABLE_NEAREST(global_options, name);
    }
    (void)fault_set(p->why, -EINVAL, "%s%sthere is no flag --%.*s",
                    command != NULL ? command->name : "", command != NULL ? ": " : "",
                    (int)name.len, name.ptr);
    if (nearest != NULL) {
        return fault_hint(p->why, "did you mean --%s?", nearest);
    }
    return fault_hint(p->why, "roadie %s%s-h lists the flags", command != NULL ? command->name : "",
                      command != NULL ? " " : "");
}

static int read_long(struct parser *p, const char *word)
{
    struct span name;
    struct span value;
    bool attached = span_split(span_of(word), '=', &name, &value);
    const struct command_row *command = p->out->command;
    const struct option_row *row = NULL;
    if (command != NULL) {
        row = find_long(command->options, command->option_count, name);
    }
    if (row == NULL) {
        row = find_long(global_options, global_option_count, name);
    }
    if (row == NULL) {
        return unknown_long(p, name);
    }
    if (row->kind == OPTION_FLAG) {
        if (attached) {
            return fault_set(p->why, -EINVAL, "--%s takes no value", row->name);
        }
        add_option(p, row, NULL);
        return 0;
    }
    char shown[64];
    (void)fmt_into(shown, sizeof shown, "--%s", row->name);
    return add_with_value(p, row, attached ? value.ptr : NULL, shown);
}

static const struct option_row *find_letter(const struct option_row *rows, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].letter == letter) {
            return &rows[i];
        }
    }
    return NULL;
}

/* A bundle: flags may share one dash (-fi), the last may carry its value (-n5). */
static int read_shorts(struct parser *p, const char *word)
{
    const struct command_row *command = p->out->command;
    for (const char *at = word; *at != '\0'; at++) {
        const struct option_row *row = NULL;
        if (command != NULL) {
            row = find_letter(command->options, command->option_count, *at);
        }
        if (row == NULL) {
            row = find_letter(global_options, global_option_count, *at);
        }
        if (row == NULL) {
            (void)fault_set(p->why, -EINVAL, "%s%sthere is no flag -%c",
                            command != NULL ? command->name : "", command != NULL ? ": " : "", *at);
            return fault_hint(p->why, "roadie %s%s-h lists the flags",
                              command != NULL ? command->name : "", command != NULL ? " " : "");
        }
        if (row->kind != OPTION_FLAG) {
            char shown[8];
            (void)fmt_into(shown, sizeof shown, "-%c", *at);
            return add_with_value(p, row, at[1] != '\0' ? at + 1 : NULL, shown);
        }
        add_option(p, row, NULL);
    }
    return 0;
}
