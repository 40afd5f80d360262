/* Python packages that some tests hold Rung against: those of the virtual environment $RUNG_PEERS_VENV, or of python3.
 */
#ifndef TESTS_PEERS_H
#define TESTS_PEERS_H

#include "harness.h"

/* The Python that has `module`. Ends the test as skipped where there is none. */
static inline const char *peers_python(const char *module) {
  static char python[1024];
  char command[1200], why[256];
  const char *environment = getenv("RUNG_PEERS_VENV");
  snprintf(python, sizeof python, "%s%s", environment ? environment : "", environment ? "/bin/python" : "python3");
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null", python, module);
  snprintf(why, sizeof why, "no Python package %s (looked for in $RUNG_PEERS_VENV, or python3)", module);
  if (system(command) != 0) test_skip(why);
  return python;
}

/* Runs `program` with one argument; what it printed. Fails the test if it fails. */
static inline const char *peers_run(const char *python, const char *program, const char *argument) {
  static char output[1 << 16];
  char command[4096];
  setenv("RUNG_TEST_PROGRAM", program, 1);
  snprintf(command, sizeof command, "'%s' -c \"$RUNG_TEST_PROGRAM\" '%s'", python, argument);
  FILE *pipe = popen(command, "r");
  ck_assert_ptr_nonnull(pipe);
  output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
  int status = pclose(pipe);
  ck_assert_msg(status == 0, "%s", output);
  return output;
}

#endif
