/*
 * The command line: one table of commands with their options, one parser for all of them (INTERFACE §1).
 * Before COMMAND a short flag is global, after it the command's own meaning wins; long global flags stand
 * anywhere. Pure; strings are borrowed from argv.
 */
#ifndef ROADIE_UI_ARGS_H
#define ROADIE_UI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/fault.h"

struct app;
struct args;

enum option_kind {
    OPTION_FLAG,  /* no value */
    OPTION_VALUE, /* one value; the last one wins */
    OPTION_LIST,  /* a value, repeatable */
};

struct option_row {
    const char *name;  /* long, without dashes */
    char letter;       /* 0: none */
    enum option_kind kind;
    const char *value; /* what help calls its value; NULL for a flag */
    const char *help;
};

enum command_trait {
    COMMAND_NAMES = 1U,       /* takes any number of service names */
    COMMAND_ONE_NAME = 2U,    /* takes at most one positional word */
    COMMAND_WORDS = 4U,       /* takes words after -- */
    COMMAND_WORDS_BARE = 8U,  /* … which may also start at the second positional word */
    COMMAND_LATER = 16U,      /* not in this version: known, listed, refused */
};

typedef int (*command_fn)(struct app *app, const struct args *args);

struct command_row {
    const char *name;
    const char *alias;        /* or NULL */
    const char *usage;        /* behind the name: "[name…]" */
    const char *summary;      /* one line */
    const struct option_row *options;
    size_t option_count;
    unsigned traits;
    command_fn run;           /* NULL with COMMAND_LATER */
};

struct args {
    const struct command_row *command; /* NULL: none was named */
    bool echo;                         /* called by the alias `echo`: logs -f */
    const struct option_row **rows;    /* options as given, in order … */
    const char **texts;                /* … and their values (NULL for flags) */
    size_t count;
    char **names;                      /* positional words, NULL-terminated */
    size_t name_count;
    char **words;                      /* behind --, NULL-terminated; NULL: none */
    size_t word_count;
};

extern const struct option_row global_options[];
extern const size_t global_option_count;

/* Reads argv[1…]. 0, or -EINVAL with why (and a hint) for anything that is not in the tables. Arrays live in
 * the arena. --help and --version are options like others: the caller looks for them first. */
int args_parse(const struct command_row *commands, size_t command_count, int argc, char *const *argv,
               struct arena *arena, struct args *out, struct fault *why) ATTR_MUST_CHECK;
/* The command of that name or alias, or NULL. */
const struct command_row *args_command(const struct command_row *commands, size_t count,
                                       const char *name);
bool args_flag(const struct args *args, const char *name);
/* The last value of that option, or NULL. */
const char *args_text(const struct args *args, const char *name);
/* All values of that option, NULL-terminated, in the arena; NULL when there are none. */
char **args_list(const struct args *args, const char *name, struct arena *arena);
/* Whether argv asks for --json: for errors found before parsing has succeeded. */
bool args_want_json(int argc, char *const *argv);

#endif
