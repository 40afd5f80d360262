/* Reading the command line by the table. */
#include "path.h"
#include "session.h"
#include "suggest.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static rung_status read_whole(const option *of, const char *text, int64_t *whole) {
  char *end;
  errno = 0;
  *whole = strtoll(text, &end, 10);
  if (end != text && !*end && !errno && *whole >= of->least && *whole <= of->most) return RUNG_OK;
  if (of->most >= INT32_MAX)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s '%s': expected a whole number from %" PRId64, of->name, text,
                     of->least);
  return rung_fail(RUNG_ERROR_ARGUMENT, "--%s '%s': expected a whole number in %" PRId64 "..%" PRId64, of->name, text,
                   of->least, of->most);
}

static rung_status read_number(const option *of, const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  if (end != text && !*end && *number >= of->low && *number <= of->high) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--%s '%s': expected a number in %g..%g", of->name, text, of->low, of->high);
}

/* `what` is how messages call it: "--task" or "FORMAT". */
static rung_status read_choice(const char *what, choices *choice, const char *text, int64_t *which) {
  char all[256] = "";
  for (int i = 0; choice(i); i++) {
    if (strcmp(choice(i), text) == 0) {
      *which = i;
      return RUNG_OK;
    }
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : choice(i + 1) ? ", " : " or ", choice(i));
  }
  const char *names[32];
  int count = 0;
  while (count < 32 && choice(count)) names[count] = choice(count), count++;
  const char *nearest = suggest(text, names, count);
  return rung_fail(RUNG_ERROR_ARGUMENT, "%s '%s': expected %s%s%s%s", what, text, all, nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "");
}

static rung_status read_value(const option *of, const char *text, value *to) {
  char what[64];
  snprintf(what, sizeof what, "--%s", of->name);
  to->text = text;
  switch (of->kind) {
  case KIND_FLAG: return RUNG_OK;
  case KIND_TEXT: return *text ? RUNG_OK : rung_fail(RUNG_ERROR_ARGUMENT, "%s '': expected %s", what, of->argument);
  case KIND_CHOICE: return read_choice(what, of->choice, text, &to->whole);
  case KIND_WHOLE: return read_whole(of, text, &to->whole);
  case KIND_NUMBER: return read_number(of, text, &to->number);
  case KIND_INPUT: return path_check_input(what, text);
  case KIND_OUTPUT: return path_check_output(what, text);
  case KIND_FOLDER: return path_check_folder(what, text);
  }
  return RUNG_OK;
}

static rung_status set_standards(session *to) {
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (!options[i].standard || !command_takes(to->command, i)) continue;
    rung_status status = read_value(&options[i], options[i].standard, &to->option[i]);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/* "--name", "--name=value" (`*attached` is then the value), "-n"; -1: the command takes no such option. */
static int find_option(const command *of, const char *word, const char **attached) {
  const char *equals = strchr(word, '=');
  *attached = NULL;
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (!command_takes(of, i)) continue;
    size_t length = strlen(options[i].name);
    if (word[1] != '-') {
      if (options[i].letter && word[1] == options[i].letter && !word[2]) return i;
    } else if (strncmp(word + 2, options[i].name, length) == 0 && (!word[2 + length] || word + 2 + length == equals)) {
      if (equals) *attached = equals + 1;
      return i;
    }
  }
  return -1;
}

static rung_status unknown_option(const command *of, const char *word) {
  const char *names[OPTION_COUNT + 1];
  int count = 0;
  for (int i = 0; i < OPTION_COUNT; i++)
    if (command_takes(of, i)) names[count++] = options[i].name;
  const char *nearest = word[1] == '-' ? suggest(word + 2, names, count) : NULL;
  if (nearest) return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': unknown option; did you mean --%s?", word, nearest);
  return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': unknown option (rung %s --help lists them)", word, of->name);
}

/* The option at argv[*at], and its value, which may be the next word. */
static rung_status read_option(session *to, int argc, char **argv, int *at) {
  const char *attached, *word = argv[*at];
  int which = find_option(to->command, word, &attached);
  if (which < 0) return unknown_option(to->command, word);
  const option *of = &options[which];
  to->option[which].given = true;
  if (which == OPTION_HELP && !attached) to->help = true;
  if (of->kind == KIND_FLAG)
    return attached ? rung_fail(RUNG_ERROR_ARGUMENT, "'%s': --%s takes no value", word, of->name) : RUNG_OK;
  if (!attached && *at + 1 >= argc)
    return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': its value is missing: expected %s", word, of->argument);
  return read_value(of, attached ? attached : argv[++*at], &to->option[which]);
}

/* ---- The rest --------------------------------------------------------------------------------------------------- */

static rung_status read_positional(session *to, const char *word) {
  const positional *of = to->command->positionals;
  int i = 0;
  while (i < POSITIONALS && of[i].name && to->positional[i]) i++;
  if (i == POSITIONALS || !of[i].name) {
    const char *wanted = i == 0 ? "only options" : i == 1 ? "one argument" : "two arguments";
    return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': expected %s (rung %s --help shows how)", word, wanted,
                     to->command->name);
  }
  int64_t unused;
  to->positional[i] = word;
  if (of[i].kind == KIND_CHOICE) return read_choice(of[i].name, of[i].choice, word, &unused);
  return of[i].kind == KIND_INPUT ? path_check_input(of[i].name, word) : RUNG_OK;
}

static rung_status check_required(const session *read) {
  const command *of = read->command;
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++)
    if (!read->positional[i] && !of->positionals[i].optional)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s is missing: %s (rung %s --help shows how)", of->positionals[i].name,
                       of->positionals[i].help, of->name);
  for (int i = 0; i < OPTION_COUNT; i++)
    if (of->required[i] && !read->option[i].given)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--%s %s is missing: %s", options[i].name, options[i].argument,
                       options[i].help);
  return RUNG_OK;
}

/* Output option `out` must not take the place of a file that is read. */
static rung_status check_not_input(const session *read, int out, const char *what, const char *input) {
  const char *path = read->option[out].text;
  if (!path || !input || !path_is_same_file(path, input)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--%s '%s': is the file of %s; it would be lost", options[out].name, path,
                   what);
}

/* A model may be trained on, or quantized, in its place (--from, --resume; command.rewrites): it is a model again. */
static rung_status check_inputs_kept(const session *read) {
  static const int inputs[] = {OPTION_DATA,    OPTION_TARGETS, OPTION_TEST,   OPTION_TEST_TARGETS,
                               OPTION_WEIGHTS, OPTION_TEACHER, OPTION_AGAINST};
  static const int outputs[] = {OPTION_OUT, OPTION_PATH, OPTION_LOGITS, OPTION_PAGE, OPTION_CHECKPOINT};
  enum { INPUTS = sizeof inputs / sizeof *inputs, OUTPUTS = sizeof outputs / sizeof *outputs };
  const command *of = read->command;
  rung_status status = RUNG_OK;
  for (int o = 0; o < OUTPUTS; o++) {
    for (int i = 0; i < POSITIONALS && of->positionals[i].name && status == RUNG_OK; i++)
      if (of->positionals[i].kind == KIND_INPUT && !of->rewrites)
        status = check_not_input(read, outputs[o], of->positionals[i].name, read->positional[i]);
    for (int i = 0; i < INPUTS && status == RUNG_OK; i++) {
      char what[64];
      snprintf(what, sizeof what, "--%s", options[inputs[i]].name);
      status = check_not_input(read, outputs[o], what, read->option[inputs[i]].text);
    }
  }
  return status;
}

static rung_status find_command(session *to, const char *word) {
  const char *name = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ? "help"
                     : strcmp(word, "--version") == 0                       ? "version"
                                                                            : word;
  to->command = command_find(name);
  if (to->command) return RUNG_OK;
  const char *names[64];
  for (int i = 0; i < command_count; i++) names[i] = commands[i]->name;
  const char *nearest = suggest(word, names, command_count);
  if (nearest) return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': unknown command; did you mean %s?", word, nearest);
  return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': unknown command (rung help lists them)", word);
}

rung_status session_parse(session *to, int argc, char **argv) {
  rung_status status = find_command(to, argc > 1 ? argv[1] : "help");
  if (status == RUNG_OK) status = set_standards(to);
  bool only_words = false;
  for (int i = 2; i < argc && status == RUNG_OK && !to->help; i++) {
    if (!only_words && strcmp(argv[i], "--") == 0)
      only_words = true;
    else if (!only_words && argv[i][0] == '-' && argv[i][1])
      status = read_option(to, argc, argv, &i);
    else
      status = read_positional(to, argv[i]);
  }
  if (status == RUNG_OK && !to->help) status = check_required(to);
  return status == RUNG_OK && !to->help ? check_inputs_kept(to) : status;
}
