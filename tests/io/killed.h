/* A process that kills itself at one of the moments of writing a file, counted and not timed, so that a run dies where
 * the last one did on every machine. Include it in the one C file of a test: it stands before libc's fsync and rename.
 */
#ifndef TESTS_IO_KILLED_H
#define TESTS_IO_KILLED_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one file that is written: it lies there in part, under its temporary name; whole, under that name; and under its
 * own. */
enum { MOMENTS_OF_A_FILE = 3 };

static int killed_at; /* the moment from now on, of 1, 2...; 0: none */

static void killed_moment(void) {
  if (killed_at > 0 && --killed_at == 0) raise(SIGKILL);
}

/* Of the temporary file, or of its folder after the renaming. Does nothing else: what a killed process has written is
 * there without it, and the tests write thousands of files. */
int fsync(int descriptor) {
  struct stat about;
  if (killed_at == 1 && fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) &&
      ftruncate(descriptor, about.st_size / 3) != 0)
    return -1;
  killed_moment();
  return 0;
}

int rename(const char *from, const char *to) {
  killed_moment();
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

#endif
