/* The command rung from outside. */
#ifndef TESTS_CLI_H
#define TESTS_CLI_H

#define COMMAND_PROGRAM RUNG_COMMAND
#define COMMAND_NAME    "rung"
#include "examples/command.h"

#define SAMPLE TEST_DATA "/data/mnist-sample"

/* In an empty folder, and in the folder as the last run left it. */
#define RUN(...)      command_run("run", NULL, (const char *const[]){__VA_ARGS__, NULL})
#define CONTINUE(...) command_continue("run", NULL, (const char *const[]){__VA_ARGS__, NULL})

static inline void expect_in(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%.3000s", part, text);
}

/* Exit status `status`, nothing on standard error, plain lines, and these files in the folder. */
static inline void expect_run(const run *r, int status, const char *left) {
  if (strstr(r->error, "no zlib") || strstr(r->error, "no cJSON")) test_skip(r->error);
  ck_assert_msg(r->status == status, "exit status %d: %s%s", r->status, r->error, r->out);
  ck_assert_str_eq(r->error, "");
  ck_assert_msg(!strpbrk(r->out, "\r\033"), "not plain lines:\n%.3000s", r->out);
  ck_assert_str_eq(r->left, left);
}

/* What the shell makes of `line`, with $1 `argument`; 77 skips. */
static inline void expect_shell(const char *line, const char *argument) {
  pid_t child = fork();
  if (child == 0) {
    execlp("bash", "bash", "-c", line, "bash", argument, (char *)NULL);
    _exit(77);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) test_skip("no bash, or what it was to start");
  ck_assert_msg(status == 0, "%s: status %d", line, status);
}

/* Python reads `text` as one JSON object r, and asserts. Without Python: skipped. */
static inline void expect_json(const char *text, const char *script) {
  char code[4096];
  scratch_write("result.json", text, strlen(text));
  snprintf(code, sizeof code, "import json, math, sys\nr = json.load(open(sys.argv[1]))\n%s", script);
  pid_t child = fork();
  if (child == 0) {
    execlp("python3", "python3", "-c", code, scratch_path("result.json"), (char *)NULL);
    _exit(77);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) test_skip("no python3");
  ck_assert_msg(status == 0, "%s\ndoes not hold for\n%.2000s", script, text);
}

/* The 16 digits behind "weights ". */
static inline const char *weights_hash(const run *r) {
  static char digits[4][17];
  static int next;
  const char *found = strstr(r->out, "weights ");
  ck_assert_msg(found != NULL, "no hash in:\n%s", r->out);
  char *to = digits[next++ % 4];
  snprintf(to, sizeof digits[0], "%s", found + strlen("weights "));
  return to;
}

#endif
