#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE = 120 }; /* seconds */

/* ---- Command lines ---------------------------------------------------------------------------------------------- */

static void add_word(command *line, const char *word, size_t length) {
  if (line->count == COMMAND_WORDS || length + 1 > sizeof line->text - line->used) {
    line->too_long = true;
    return;
  }
  char *to = line->text + line->used;
  memcpy(to, word, length);
  to[length] = 0;
  line->word[line->count++] = to;
  line->used += length + 1;
}

void command_add(command *line, const char *word) {
  add_word(line, word, strlen(word));
}

void command_split(command *line, const char *words) {
  for (const char *at = words; *at;) {
    size_t length = strcspn(at, " \t\n");
    if (length) add_word(line, at, length);
    at += length + (at[length] != 0);
  }
}

/* ---- Processes -------------------------------------------------------------------------------------------------- */

/* posix_spawn and no fork: the caller may have threads. */
static const char *spawn(child_process *child, const command *line, const char *errors, int socket) {
  posix_spawn_file_actions_t actions;
  if (line->too_long || line->count == 0) return line->too_long ? "too long a command" : "no command";
  if (posix_spawn_file_actions_init(&actions) != 0) return strerror(errno);
  int failed = 0;
  for (int to = 0; to < 2 && !failed; to++)
    failed = socket >= 0 ? posix_spawn_file_actions_adddup2(&actions, socket, to)
                         : posix_spawn_file_actions_addopen(&actions, to, "/dev/null", to ? O_WRONLY : O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!failed) failed = posix_spawnp(&child->pid, line->word[0], &actions, NULL, line->word, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed ? strerror(failed) : NULL;
}

/* A socket for both directions: unlike a pipe it can be told not to raise SIGPIPE, and how long to wait. */
const char *child_start(child_process *child, const command *line, const char *errors) {
  const struct timeval patience = {.tv_sec = PATIENCE};
  int ends[2];
  *child = (child_process){.socket = -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return strerror(errno);
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const char *problem = spawn(child, line, errors, ends[1]);
  close(ends[1]);
  child->socket = ends[0];
  if (!problem) return NULL;
  close(ends[0]);
  child->socket = -1;
  return problem;
}

bool child_send(const child_process *child, const void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = send(child->socket, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

bool child_receive(const child_process *child, void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = recv(child->socket, (char *)bytes + done, size - done, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

static int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_end(child_process *child, bool kill_it) {
  if (child->socket < 0) return 0;
  close(child->socket);
  child->socket = -1;
  if (kill_it) kill(child->pid, SIGKILL);
  return wait_for(child->pid);
}

const char *child_run(const command *line, const char *errors, int *exit_code) {
  child_process child = {.socket = -1};
  const char *problem = spawn(&child, line, errors, -1);
  if (!problem) *exit_code = wait_for(child.pid);
  return problem;
}

const char *file_line(const char *path, bool last, char *line, size_t size) {
  char read[512];
  FILE *file = fopen(path, "r");
  *line = 0;
  while (file && fgets(read, sizeof read, file)) {
    read[strcspn(read, "\r\n")] = 0;
    if (!read[strspn(read, " \t")]) continue;
    snprintf(line, size, "%s", read);
    if (!last) break;
  }
  if (file) fclose(file);
  return line;
}
