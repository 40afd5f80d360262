/* A training that is stopped, by Ctrl-C or by force, goes on as if it had not been; and the bar on a terminal. */
#define _GNU_SOURCE /* of posix_openpt */
#include "cli.h"

#include <signal.h>
#include <time.h>

#define TRAIN  "train", "--data", SAMPLE, "--batch", "8", "--epochs", "12", "-o", "m", "--threads", "1", "--seed", "3"
#define LAYERS "--model", "linear 32, relu, dropout 0.1, linear 10"

static void pause_briefly(void) {
  nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Starts the command in the folder, and sends it `number` as soon as there is a checkpoint. Its wait status. */
static int stop(int number, const char *const *arguments) {
  char folder[1024], out[1024], error[1024];
  snprintf(folder, sizeof folder, "%s", scratch_path("run/"));
  snprintf(out, sizeof out, "%s", scratch_path("stdout"));
  snprintf(error, sizeof error, "%s", scratch_path("stderr"));
  char *all[MOST_ARGUMENTS + 2] = {(char[]){COMMAND_NAME}};
  for (int i = 0; arguments[i]; i++) all[i + 1] = (char *)(uintptr_t)arguments[i];
  pid_t child = fork();
  if (child == 0) command_become(folder, out, error, all);
  int status;
  while (access(scratch_path("run/m.checkpoint"), F_OK) != 0 && waitpid(child, &status, WNOHANG) == 0) pause_briefly();
  kill(child, number);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return status;
}

static const char *unbroken(void) {
  const run *r = RUN(TRAIN, LAYERS);
  expect_run(r, 0, "m ");
  return weights_hash(r);
}

/* By the command as it was, and by one that has the model from the checkpoint alone; the file itself is removed at the
 * end. A training that began anew would give the hash too in the first case: but not without its first epoch. */
static void expect_resumed(const char *hash, bool past_an_epoch) {
  expect_shell("cp \"$1/m.checkpoint\" \"$1/copy\"; rm -f \"$1\"/*.tmp", scratch_path("run")); /* killed as it saved */
  const run *r = CONTINUE(TRAIN, LAYERS, "--resume", "m.checkpoint");
  expect_run(r, 0, "copy m ");
  ck_assert_str_eq(weights_hash(r), hash);
  ck_assert(!past_an_epoch || !strstr(r->out, "epoch  1/12"));
  r = CONTINUE(TRAIN, "--resume", "copy");
  expect_run(r, 0, "copy m ");
  ck_assert_str_eq(weights_hash(r), hash);
}

/* Killed at the first checkpoint: after a step, a hundred, and an epoch of 250. */
START_TEST(killed_by_force_it_goes_on) {
  static const char *const steps[] = {"1", "100", "250"};
  const char *hash = unbroken();
  scratch_remove_tree(scratch_path("run"));
  int status = stop(SIGKILL, (const char *const[]){TRAIN, LAYERS, "--checkpoint-steps", steps[_i], NULL});
  ck_assert_msg(WIFSIGNALED(status), "it had ended before");
  expect_resumed(hash, _i == 2);
}
END_TEST

START_TEST(ctrl_c_writes_a_checkpoint_and_says_how_to_go_on) {
  const int signals[] = {SIGINT, SIGTERM};
  const char *hash = unbroken();
  scratch_remove_tree(scratch_path("run"));
  int status = stop(signals[_i], (const char *const[]){TRAIN, LAYERS, "--checkpoint-steps", "10", NULL});
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "wait status %d", status);
  char out[TEXT], left[1024];
  command_read(scratch_path("stdout"), out);
  expect_in(out, "stopped in epoch ");
  expect_in(out, "--resume m.checkpoint");
  command_list(scratch_path("run"), left);
  ck_assert_str_eq(left, "m.checkpoint ");
  expect_resumed(hash, false);
}
END_TEST

START_TEST(what_is_no_checkpoint_is_refused) {
  unbroken();
  const run *r = CONTINUE(TRAIN, "--resume", "m"); /* a finished model */
  command_refused(r, "m: ", r->left);
  r = CONTINUE("train", "--data", SAMPLE, "-o", "out", "--resume", "missing");
  command_refused(r, "--resume 'missing': cannot be read", "m ");
}
END_TEST

/* With a terminal as standard error it draws a bar there, and leaves standard output alone. */
START_TEST(a_terminal_gets_a_bar) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) test_skip("no terminal");
  const char *data = command_write_data("data");
  const run *r = command_run("run", ptsname(terminal),
                             (const char *const[]){"train", "--data", data, "--model", "linear 10", "--epochs", "1",
                                                   "--batch", "4", "--threads", "1", "-o", "m", NULL});
  char drawn[4096] = "";
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  ssize_t size = read(terminal, drawn, sizeof drawn - 1);
  close(terminal);
  ck_assert_int_gt(size, 0);
  expect_in(drawn, "FP32  1/1 [########                ] loss ");
  expect_in(drawn, "\r\033[K"); /* and wiped off */
  expect_run(r, 0, "m ");
}
END_TEST

/* FP32 does not go on as QAT, nor the other way. */
START_TEST(a_checkpoint_of_another_form_is_refused) {
  RUN(TRAIN, LAYERS, "--checkpoint", "c");
  const run *r = CONTINUE("quantize", "m", "--data", SAMPLE, "-o", "q", "--threads", "1");
  expect_run(r, 0, "c m q ");
  r = CONTINUE(TRAIN, "--from", "q", "--resume", "c");
  command_refused(r, "--resume c: of a training in fp32, the model of --from is w8a8", "c m q ");
  r = CONTINUE(TRAIN, "--from", "q", "--checkpoint", "c");
  expect_run(r, 0, "c m q ");
  r = CONTINUE(TRAIN, LAYERS, "--resume", "c");
  command_refused(r, "--resume c: of a training in w8a8, the model of --model is fp32", "c m q ");
}
END_TEST

TEST_MAIN(CASE(a_checkpoint_of_another_form_is_refused), CASES(killed_by_force_it_goes_on, 3),
          CASES(ctrl_c_writes_a_checkpoint_and_says_how_to_go_on, 2), CASE(what_is_no_checkpoint_is_refused),
          CASE(a_terminal_gets_a_bar))
