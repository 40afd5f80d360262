/* rung man: man pages, made from the table. */
#include "help.h"
#include "path.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Text as roff reads it: no backslash, no line that begins with a dot or a quote, hyphens that can be copied. */
static void put(FILE *page, const char *text) {
  bool starts = true;
  for (; *text; text++) {
    if (starts && (*text == '.' || *text == '\'')) fputs("\\&", page);
    if (*text == '\\')
      fputs("\\e", page);
    else if (*text == '-')
      fputs("\\-", page);
    else
      fputc(*text, page);
    starts = *text == '\n';
  }
}

static void put_paragraphs(FILE *page, const char *text) {
  for (const char *end; (end = strstr(text, "\n\n")); text = end + 2) {
    char paragraph[2048];
    snprintf(paragraph, sizeof paragraph, "%.*s", (int)(end - text), text);
    put(page, paragraph);
    fputs("\n.PP\n", page);
  }
  put(page, text);
  fputc('\n', page);
}

static void begin(FILE *page, const char *name, const char *summary) {
  fprintf(page, ".TH \"%s\" 1 \"\" \"rung %s\" \"Rung\"\n.SH NAME\n", name, RUNG_VERSION);
  put(page, name);
  fputs(" \\- ", page);
  put(page, summary);
  fputc('\n', page);
}

static void put_examples(FILE *page, const example *examples, int most) {
  if (!examples[0].line) return;
  fputs(".SH EXAMPLES\n", page);
  for (int i = 0; i < most && examples[i].line; i++) {
    fputs(".PP\n", page);
    if (examples[i].help) {
      put(page, examples[i].help);
      fputs(":\n", page);
    }
    fputs(".nf\n.RS 4\nrung ", page);
    put(page, examples[i].line);
    fputs("\n.RE\n.fi\n", page);
  }
}

static void put_exits(FILE *page) {
  fputs(".SH EXIT STATUS\n", page);
  for (int i = 0; i < 3; i++) {
    fprintf(page, ".TP\n%d\n", i);
    put(page, help_exits[i]);
    fputc('\n', page);
  }
}

static void put_option(FILE *page, const option *of) {
  char values[512];
  fputs(".TP\n\\fB", page);
  if (of->letter) fprintf(page, "\\-%c\\fR, \\fB", of->letter);
  fputs("\\-\\-", page);
  put(page, of->name);
  fputs("\\fR", page);
  if (of->argument) {
    fputs(" \\fI", page);
    put(page, of->argument);
    fputs("\\fR", page);
  }
  fputc('\n', page);
  put(page, of->help);
  help_values(of, values, sizeof values);
  if (*values) {
    fputs(" (", page);
    put(page, values);
    fputc(')', page);
  }
  fputc('\n', page);
}

static void put_options(FILE *page, const command *of) {
  fputs(".SH OPTIONS\n", page);
  for (int group = 0; group < GROUP_COUNT; group++) {
    bool titled = false;
    for (int i = 0; i < OPTION_COUNT; i++) {
      if (options[i].group != (option_group)group || !command_takes(of, i)) continue;
      if (!titled) fprintf(page, ".SS %s\n", group_titles[group]);
      titled = true;
      put_option(page, &options[i]);
    }
  }
}

/* What --model may say. */
static void put_layers(FILE *page) {
  fputs(".SH LAYERS\n", page);
  for (int i = 0; i < rung_layer_word_count(); i++) {
    const rung_word word = rung_layer_word(i);
    fputs(".TP\n\\fB", page);
    put(page, word.name);
    fputs("\\fR ", page);
    put(page, word.arguments);
    fputc('\n', page);
    put(page, word.help);
    fputc('\n', page);
  }
}

/* rung-NAME(1) */
static void command_page(FILE *page, const command *of) {
  char name[64], usage[512];
  snprintf(name, sizeof name, "rung-%s", of->name);
  begin(page, name, of->summary);
  help_usage(of, usage, sizeof usage);
  fputs(".SH SYNOPSIS\n", page);
  put(page, usage);
  fputc('\n', page);
  if (of->about) {
    fputs(".SH DESCRIPTION\n", page);
    put_paragraphs(page, of->about);
  }
  if (of->positionals[0].name) fputs(".SH ARGUMENTS\n", page);
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++) {
    fprintf(page, ".TP\n\\fI%s\\fR\n", of->positionals[i].name);
    put(page, of->positionals[i].help);
    fputc('\n', page);
  }
  put_options(page, of);
  if (command_takes(of, OPTION_MODEL)) put_layers(page);
  put_examples(page, of->examples, EXAMPLES);
  put_exits(page);
  fputs(".SH SEE ALSO\n.BR rung (1)\n", page);
}

/* rung(1) */
static void main_page(FILE *page) {
  begin(page, "rung", "quantization-aware training, and integer models that compute the same bits everywhere");
  fputs(".SH SYNOPSIS\nrung \\fICOMMAND\\fR [arguments] [options]\n.SH DESCRIPTION\n", page);
  put_paragraphs(page, help_about);
  fputs(".SH COMMANDS\n", page);
  for (int i = 0; i < command_count; i++) {
    fprintf(page, ".TP\n.BR rung\\-%s (1)\n", commands[i]->name);
    put(page, commands[i]->summary);
    fputc('\n', page);
  }
  put_examples(page, help_session, EXAMPLES);
  put_exits(page);
}

/* `of` NULL: rung(1). */
static rung_status write_page(const command *of, const char *folder) {
  char path[4096], *text = NULL;
  size_t size = 0;
  if (snprintf(path, sizeof path, "%s/rung%s%s.1", folder, of ? "-" : "", of ? of->name : "") >= (int)sizeof path)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--folder: a path of over 4095 bytes");
  FILE *page = open_memstream(&text, &size);
  if (!page) return rung_fail(RUNG_ERROR_MEMORY, "man: no memory");
  if (of)
    command_page(page, of);
  else
    main_page(page);
  rung_status status =
      fclose(page) == 0 && text ? rung_file_write(path, text, size) : rung_fail(RUNG_ERROR_MEMORY, "man: no memory");
  free(text);
  return status;
}

static ending run(session *asked) {
  const char *folder = TEXT_OF(asked, FOLDER), *name = asked->positional[0];
  if (!folder) {
    if (name)
      command_page(stdout, command_find(name));
    else
      main_page(stdout);
    return ENDS_WELL;
  }
  rung_status status = path_make_folder(folder);
  if (status == RUNG_OK) status = write_page(NULL, folder);
  for (int i = 0; i < command_count && status == RUNG_OK; i++) status = write_page(commands[i], folder);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command man_command = {
    .name = "man",
    .summary = "prints a man page, or writes all of them into a folder",
    .positionals = {{.name = "COMMAND",
                     .kind = KIND_CHOICE,
                     .choice = command_name,
                     .optional = true,
                     .help = "the command whose page is printed; without one that of rung"}},
    .taken = {HAS(FOLDER)},
    .examples = {{"man train | man -l -", "read the page of train"}, {"man -o ~/.local/share/man/man1", NULL}},
    .run = run};
