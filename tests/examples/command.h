/* Runs a command, COMMAND_PROGRAM, in a folder, and keeps what it printed and what it left there. Its messages begin
 * with COMMAND_NAME. */
#ifndef TESTS_EXAMPLES_COMMAND_H
#define TESTS_EXAMPLES_COMMAND_H

#include "harness.h"
#include "io/scratch.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { MOST_ARGUMENTS = 32, TEXT = 1 << 16 };

typedef struct run {
  int status;     /* exit status; -1: it did not exit */
  char out[TEXT]; /* standard output */
  char error[TEXT];
  char left[1024]; /* names of the files in its folder, sorted, a blank after each */
} run;

static inline void command_read(const char *path, char text[TEXT]) {
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  ck_assert_uint_lt(size, TEXT);
  memcpy(text, bytes, size);
  text[size] = '\0';
  free(bytes);
}

static inline void command_list(const char *folder, char names[1024]) {
  struct dirent **entries;
  int count = scandir(folder, &entries, NULL, alphasort);
  names[0] = '\0';
  for (int i = 0; i < count; i++) {
    if (entries[i]->d_name[0] != '.') strcat(strcat(names, entries[i]->d_name), " ");
    free(entries[i]);
  }
  if (count >= 0) free(entries);
}

static inline void command_become(const char *folder, const char *out, const char *error, char **arguments) {
  if (chdir(folder) != 0 || !freopen(out, "w", stdout) || !freopen(error, "w", stderr)) _exit(99);
  setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* a command that fails exits as it stands */
  execv(COMMAND_PROGRAM, arguments);
  _exit(99);
}

/* Arguments: strings, up to a NULL. `folder` is below the scratch folder; `error`, if not NULL, takes standard error.
 */
static inline run *command_continue(const char *folder, const char *error, const char *const *arguments) {
  static run result;
  static char out_path[1024], error_path[1024], folder_path[1024];
  char inside[256];
  snprintf(inside, sizeof inside, "%s/", folder);
  snprintf(folder_path, sizeof folder_path, "%s", scratch_path(inside));
  snprintf(out_path, sizeof out_path, "%s", scratch_path("stdout"));
  snprintf(error_path, sizeof error_path, "%s", error ? error : scratch_path("stderr"));
  char *all[MOST_ARGUMENTS + 2] = {(char[]){COMMAND_NAME}};
  for (int i = 0; arguments[i]; i++) {
    ck_assert_int_lt(i, MOST_ARGUMENTS);
    all[i + 1] = (char *)(uintptr_t)arguments[i];
  }
  pid_t child = fork();
  if (child == 0) command_become(folder_path, out_path, error_path, all);
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  command_read(out_path, result.out);
  result.error[0] = '\0';
  if (!error) command_read(error_path, result.error);
  command_list(folder_path, result.left);
  return &result;
}

/* The same in an empty folder. */
static inline run *command_run(const char *folder, const char *error, const char *const *arguments) {
  scratch_remove_tree(scratch_path(folder));
  return command_continue(folder, error, arguments);
}

/* No piece of "rung quantize: quantize: ..." is said twice in a row. */
static inline void command_says_nothing_twice(const char *line, const char *name) {
  size_t skip = strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ' ? strlen(name) + 1 : 0;
  const char *piece = line + skip, *end;
  for (; (end = strstr(piece, ": ")) != NULL; piece = end + 2) {
    const size_t length = (size_t)(end - piece) + 2;
    ck_assert_msg(strncmp(piece, end + 2, length) != 0, "'%.*s' twice: '%s'", (int)length, piece, line);
  }
}

/* Exit status 2, one line on standard error that says `part`, and nothing in the folder but what was there. */
static inline void command_refused(const run *r, const char *part, const char *left) {
  ck_assert_msg(r->status == 2, "exit status %d, '%s'", r->status, r->error);
  size_t name = strlen(COMMAND_NAME);
  ck_assert_msg(strncmp(r->error, COMMAND_NAME, name) == 0 && strchr(": ", r->error[name]), "'%s'", r->error);
  ck_assert_msg(strchr(r->error, '\n') == r->error + strlen(r->error) - 1, "not one line: '%s'", r->error);
  ck_assert_msg(strstr(r->error, part) != NULL, "'%s' lacks '%s'", r->error, part);
  command_says_nothing_twice(r->error, COMMAND_NAME);
  ck_assert_str_eq(r->left, left);
}

/* ---- A dataset of twelve and six pictures ----------------------------------------------------------------------- */

enum { TRAIN_PICTURES = 12, TEST_PICTURES = 6, PIXELS = 28 * 28, PICTURES_HEADER = 16, LABELS_HEADER = 8 };

static inline void command_write_split(const char *folder, const char *prefix, int count) {
  static unsigned char pictures[PICTURES_HEADER + TRAIN_PICTURES * PIXELS];
  unsigned char labels[LABELS_HEADER + TRAIN_PICTURES] = {0, 0, 8, 1, 0, 0, 0, (unsigned char)count};
  const unsigned char header[PICTURES_HEADER] = {0, 0, 8, 3, 0, 0, 0, (unsigned char)count, 0, 0, 0, 28, 0, 0, 0, 28};
  char name[512];
  memcpy(pictures, header, sizeof header);
  for (int i = 0; i < count * PIXELS; i++) pictures[PICTURES_HEADER + i] = (unsigned char)(i * 37 % 251);
  for (int i = 0; i < count; i++) labels[LABELS_HEADER + i] = (unsigned char)(i % 10);
  snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", folder, prefix);
  scratch_write(name, pictures, (size_t)(PICTURES_HEADER + count * PIXELS));
  snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", folder, prefix);
  scratch_write(name, labels, (size_t)(LABELS_HEADER + count));
}

/* Its path. */
static inline const char *command_write_data(const char *folder) {
  static char path[1024];
  command_write_split(folder, "train", TRAIN_PICTURES);
  command_write_split(folder, "t10k", TEST_PICTURES);
  snprintf(path, sizeof path, "%s", scratch_path(folder));
  return path;
}

#endif
