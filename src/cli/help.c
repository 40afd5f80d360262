#include "help.h"

#include <rung/rung.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 28, LINE = 512 };

const char help_about[] =
    "Brings a small network and its data to an integer-only model, int8 or lower, that is as accurate as the float "
    "one.\n"
    "\n"
    "A first session: train in FP32, quantize (post-training), train on with the integers in the loop, prove that all "
    "forms compute the same, write C.";

const example help_session[] = {
    {"train --data mnist --model \"linear 256, relu, linear 128, relu, linear 10\" -o digits.safetensors", NULL},
    {"quantize digits.safetensors --data mnist --bits w8a8 -o digits-w8a8.safetensors", NULL},
    {"train --from digits-w8a8.safetensors --data mnist --epochs 5 --rate 2e-4 -o digits-qat.safetensors", NULL},
    {"verify digits-qat.safetensors --data mnist", NULL},
    {"export c digits-qat.safetensors --name digits -o out/", NULL},
    {NULL, NULL}};

#define FALLS_SHORT_HELP                                                                                               \
  "it ran and falls short: --require-accuracy is not reached, verify found a difference, Ctrl-C stopped a training"

const char *const help_exits[3] = {"all went well", FALLS_SHORT_HELP,
                                   "bad input, or a file that cannot be read or written: one line on standard error"};

/* Prints `text` from column `at` on, its lines indented by `indent`; ends the line. */
static void wrap(const char *text, size_t at, size_t indent) {
  bool starts = true; /* no space before the next word */
  while (*text) {
    size_t length = strcspn(text, " \n");
    if (!starts && at + 1 + length > WIDTH) {
      printf("\n%*s", (int)indent, "");
      at = indent;
      starts = true;
    }
    printf("%s%.*s", starts ? "" : " ", (int)length, text);
    at += length + !starts;
    text += length;
    starts = *text == '\n';
    if (starts) {
      printf("\n%*s", text[1] == '\n' ? 0 : (int)indent, "");
      at = indent;
    }
    if (*text) text++;
  }
  putchar('\n');
}

static void append(char *text, size_t size, const char *more) {
  size_t used = strlen(text);
  snprintf(text + used, size - used, "%s", more);
}

void help_values(const option *of, char *text, size_t size) {
  *text = '\0';
  for (int i = 0; of->choice && of->choice(i); i++) {
    append(text, size, i == 0 ? "" : of->choice(i + 1) ? ", " : " or ");
    append(text, size, of->choice(i));
  }
  if (!of->standard) return;
  append(text, size, *text ? "; default: " : "default: ");
  append(text, size, of->standard);
}

void help_usage(const command *of, char *line, size_t size) {
  snprintf(line, size, "rung %s", of->name);
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++) {
    append(line, size, of->positionals[i].optional ? " [" : " ");
    append(line, size, of->positionals[i].name);
    append(line, size, of->positionals[i].optional ? "]" : "");
  }
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (!of->required[i]) continue;
    char words[64];
    if (options[i].letter)
      snprintf(words, sizeof words, " -%c %s", options[i].letter, options[i].argument);
    else
      snprintf(words, sizeof words, " --%s %s", options[i].name, options[i].argument);
    append(line, size, words);
  }
  append(line, size, " [options]");
}

static void print_entry(const char *name, const char *help) {
  size_t length = strlen(name);
  printf("  %s", name);
  if (length + 4 > INDENT)
    printf("\n%*s", INDENT, "");
  else
    printf("%*s", (int)(INDENT - 2 - length), "");
  wrap(help, INDENT, INDENT);
}

static void print_option(const option *of) {
  char name[LINE], help[2 * LINE], values[LINE];
  snprintf(name, sizeof name, "%c%c%s --%s %s", of->letter ? '-' : ' ', of->letter ? of->letter : ' ',
           of->letter ? "," : " ", of->name, of->argument ? of->argument : "");
  help_values(of, values, sizeof values);
  snprintf(help, sizeof help, "%s%s%s%s", of->help, *values ? " (" : "", values, *values ? ")" : "");
  print_entry(name, help);
}

static void print_positionals(const command *of) {
  if (!of->positionals[0].name) return;
  printf("\narguments:\n");
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++)
    print_entry(of->positionals[i].name, of->positionals[i].help);
}

static void print_group(const command *of, option_group group) {
  bool titled = false;
  for (int i = 0; i < OPTION_COUNT; i++) {
    if (options[i].group != group || !command_takes(of, i)) continue;
    if (!titled) printf("\n%s:\n", group_titles[group]);
    titled = true;
    print_option(&options[i]);
  }
}

/* What --model may say. */
static void print_layers(void) {
  printf("\nlayers of --model:\n");
  for (int i = 0; i < rung_layer_word_count(); i++) {
    const rung_word word = rung_layer_word(i);
    char name[LINE];
    snprintf(name, sizeof name, "%s %s", word.name, word.arguments);
    print_entry(name, word.help);
  }
}

static void print_examples(const example *examples, int most) {
  for (int i = 0; i < most && examples[i].line; i++) {
    if (examples[i].help) {
      printf("  # ");
      wrap(examples[i].help, 4, 4);
    }
    printf("  rung %s\n", examples[i].line);
  }
}

void help_print(const command *of) {
  char usage[LINE];
  printf("rung %s: %s\n\n", of->name, of->summary);
  if (of->examples[0].line) printf("examples:\n");
  print_examples(of->examples, EXAMPLES);
  help_usage(of, usage, sizeof usage);
  printf("%susage: %s\n", of->examples[0].line ? "\n" : "", usage);
  if (of->about) {
    putchar('\n');
    wrap(of->about, 0, 0);
  }
  print_positionals(of);
  for (int group = 0; group < GROUP_COUNT; group++) print_group(of, (option_group)group);
  if (command_takes(of, OPTION_MODEL)) print_layers();
}

void help_print_all(void) {
  wrap(help_about, 0, 0);
  putchar('\n');
  print_examples(help_session, EXAMPLES);
  printf("\nusage: rung COMMAND [arguments] [options]\n\ncommands:\n");
  for (int i = 0; i < command_count; i++) printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
  printf("\nrung COMMAND --help shows examples and every option of a command.\n\nexit status:\n");
  for (int i = 0; i < 3; i++) {
    printf("  %d   ", i);
    wrap(help_exits[i], 6, 6);
  }
}
