#include "path.h"

#include <rung/io.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static rung_status cannot(const char *what, const char *path, const char *do_what) {
  return rung_fail(RUNG_ERROR_IO, "%s '%s': cannot be %s: %s", what, path, do_what, strerror(errno));
}

rung_status path_check_input(const char *what, const char *path) {
  return access(path, R_OK) == 0 ? RUNG_OK : cannot(what, path, "read");
}

/* The folder that `path` is in. */
static rung_status folder_of(const char *what, const char *path, char folder[PATH_SIZE]) {
  if (snprintf(folder, PATH_SIZE, "%s", path) >= PATH_SIZE)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: a path of %d bytes or more", what, PATH_SIZE);
  char *slash = strrchr(folder, '/');
  if (!slash)
    strcpy(folder, ".");
  else
    slash[slash == folder] = '\0';
  return RUNG_OK;
}

/* Of `target`, the file or folder to be made; messages call it `path`. */
static rung_status check_parent(const char *what, const char *path, const char *target) {
  char folder[PATH_SIZE];
  struct stat about;
  rung_status status = folder_of(what, target, folder);
  if (status != RUNG_OK) return status;
  if (stat(folder, &about) != 0) return cannot(what, path, "written");
  if (!S_ISDIR(about.st_mode))
    return rung_fail(RUNG_ERROR_IO, "%s '%s': cannot be written: %s is no folder", what, path, folder);
  return access(folder, W_OK | X_OK) == 0 ? RUNG_OK : cannot(what, path, "written");
}

rung_status path_check_output(const char *what, const char *path) {
  struct stat about;
  size_t length = strlen(path);
  if (length == 0 || path[length - 1] == '/')
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s '%s': expected the name of a file", what, path);
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
    return rung_fail(RUNG_ERROR_IO, "%s '%s': cannot be written: not a regular file", what, path);
  char *target = rung_file_target(path);
  if (!target) return cannot(what, path, "written");
  rung_status status = check_parent(what, path, target);
  rung_release(target);
  return status;
}

rung_status path_check_folder(const char *what, const char *path) {
  char trimmed[PATH_SIZE];
  struct stat about;
  if (snprintf(trimmed, sizeof trimmed, "%s", path) >= (int)sizeof trimmed)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: a path of %d bytes or more", what, PATH_SIZE);
  for (size_t n = strlen(trimmed); n > 1 && trimmed[n - 1] == '/'; n--) trimmed[n - 1] = '\0';
  if (!*trimmed) return rung_fail(RUNG_ERROR_ARGUMENT, "%s '': expected a folder", what);
  if (stat(trimmed, &about) != 0) return check_parent(what, trimmed, trimmed);
  if (!S_ISDIR(about.st_mode)) return rung_fail(RUNG_ERROR_IO, "%s '%s': cannot be written: no folder", what, path);
  return access(trimmed, W_OK | X_OK) == 0 ? RUNG_OK : cannot(what, path, "written");
}

bool path_is_same_file(const char *a, const char *b) {
  struct stat one, other;
  return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool path_is_folder(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

rung_status path_make_folder(const char *path) {
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return RUNG_OK;
  return rung_fail(RUNG_ERROR_IO, "%s: cannot be made: %s", path, strerror(errno));
}

bool path_ends_with(const char *path, const char *ending) {
  size_t length = strlen(path), tail = strlen(ending);
  return length >= tail && strcmp(path + length - tail, ending) == 0;
}
