/* Processes of our own: a compiler that runs to its end, and one that is asked and answers, block by block. */
#ifndef VERIFY_CHILD_H
#define VERIFY_CHILD_H

#include <rung/core.h>

#include <sys/types.h>

#define COMMAND_WORDS 64

/* A command line: words of strings with spaces between, then words as they are. */
typedef struct command {
  char text[4096]; /* what `word` points into */
  size_t used;
  char *word[COMMAND_WORDS + 1];
  int count;
  bool too_long;
} command;

void command_split(command *line, const char *words);
void command_add(command *line, const char *word);

typedef struct child_process {
  pid_t pid;
  int socket; /* its standard input and output; -1 */
} child_process;

/* What it writes to its standard error goes to the file `errors`. NULL, or why it cannot be started. */
const char *child_start(child_process *child, const command *line, const char *errors);
/* False where the child has ended, or says nothing for two minutes. */
bool child_send(const child_process *child, const void *bytes, size_t size);
bool child_receive(const child_process *child, void *bytes, size_t size);
/* Waits for its end, which closing its input asks for, or which `kill` makes. The exit code; 128 and more: a signal. */
int child_end(child_process *child, bool kill_it);

/* Runs a command to its end; the same. */
const char *child_run(const command *line, const char *errors, int *exit_code);

/* The first or the last line of a file that is not blank, in `line`; "" if there is none. */
const char *file_line(const char *path, bool last, char *line, size_t size);

/* ---- A folder that is gone afterwards --------------------------------------------------------------------------- */

/* Makes one in $TMPDIR, else where the system has such; *path is NULL on failure. It lies in the arena. */
rung_status folder_make(rung_arena *arena, const char **path);
/* "FOLDER/name", in the arena; NULL: no memory. */
char *folder_file(rung_arena *arena, const char *folder, const char *name);
void folder_remove(const char *path); /* takes NULL */

#endif
