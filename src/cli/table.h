/* The table of the command line: every command (command_list.h, commands/NAME.c) and every option (option_list.h).
 * Parsing, --help, completion scripts and man pages are all made from it. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- Options ---------------------------------------------------------------------------------------------------- */

typedef enum option_kind {
  KIND_FLAG,   /* no value */
  KIND_TEXT,   /* read by the command that takes it */
  KIND_CHOICE, /* one of a few names */
  KIND_WHOLE,
  KIND_NUMBER,
  KIND_INPUT,  /* a file or folder that is there */
  KIND_OUTPUT, /* a file to be written: its folder must be there */
  KIND_FOLDER  /* a folder to be written into, made if it is not there */
} option_kind;

typedef enum option_group {
  GROUP_DATA,
  GROUP_MODEL,
  GROUP_TRAINING,
  GROUP_QUANTIZING,
  GROUP_MEMORY,
  GROUP_RESULTS,
  GROUP_ALWAYS,
  GROUP_COUNT
} option_group;

extern const char *const group_titles[GROUP_COUNT];

/* Name `index` of a few; NULL behind the last. */
typedef const char *choices(int index);

typedef struct option {
  const char *name; /* "epochs", of --epochs */
  char letter;      /* 'o' of -o; 0: none */
  option_group group;
  option_kind kind;
  const char *argument; /* what stands for the value in help: "N" */
  const char *standard; /* the value if none is given; NULL: none */
  int64_t least, most;  /* KIND_WHOLE */
  double low, high;     /* KIND_NUMBER */
  choices *choice;      /* KIND_CHOICE */
  const char *help;
} option;

#define ROW(id, ...) OPTION_##id,
typedef enum option_id {
#include "option_list.h"
  OPTION_COUNT
} option_id;
#undef ROW

extern const option options[OPTION_COUNT];

/* Sets of options: {HAS(DATA), HAS(OUT)}. */
#define HAS(id) [OPTION_##id] = true
typedef bool option_set[OPTION_COUNT];

/* Those that several commands take. */
#define DATA_OPTIONS  HAS(DATA), HAS(TARGETS), HAS(LABEL), HAS(TASK), HAS(PIXELS)
#define TEST_OPTIONS  DATA_OPTIONS, HAS(TEST), HAS(TEST_TARGETS)
#define MODEL_OPTIONS HAS(MODEL), HAS(LOSS), HAS(WEIGHTS)
#define WORK_OPTIONS  HAS(THREADS), HAS(QUIET), HAS(JSON)

/* ---- Commands --------------------------------------------------------------------------------------------------- */

struct session;

typedef enum ending {
  ENDS_WELL = 0,
  FALLS_SHORT = 1, /* it ran, and what came of it is less than was asked for */
  ENDS_BADLY = 2   /* it could not run: rung_error() says why */
} ending;

/* What stands without a dash: `rung export FORMAT MODEL`. */
typedef struct positional {
  const char *name; /* "MODEL"; NULL: there is none */
  option_kind kind; /* KIND_TEXT, KIND_CHOICE or KIND_INPUT */
  choices *choice;
  bool optional;
  const char *help;
} positional;

enum { POSITIONALS = 2, EXAMPLES = 6 };

typedef struct example {
  const char *line; /* without "rung " in front; NULL: there is none */
  const char *help;
} example;

typedef struct command {
  const char *name;
  const char *summary; /* one line, a verb first */
  const char *about;   /* paragraphs, an empty line between two */
  positional positionals[POSITIONALS];
  bool rewrites;              /* writes what it reads: its output may take the place of its first positional */
  option_set required, taken; /* --help is taken by all, and need not be among them */
  example examples[EXAMPLES];
  ending (*run)(struct session *session);
} command;

#define ROW(name) extern const command name##_command;
#include "command_list.h"
#undef ROW

extern const command *const commands[];
extern const int command_count;

/* NULL where there is none of that name. */
const command *command_find(const char *name);
choices command_name; /* of command `index` */

bool command_takes(const command *it, int option);

#endif
