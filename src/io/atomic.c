/* Files that appear whole or not at all. */
#include <rung/io.h>

#include "atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_SIZE 48   /* of ".PROCESS-NUMBER.tmp" */
#define LINK_SIZE   4096 /* of the text of a symbolic link, with one to spare */
#define MOST_LINKS  40   /* that lead to one another, as in the kernel */

static rung_status cannot_write(const char *path) {
  return rung_fail(RUNG_ERROR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* What the symbolic link at `path` leads to, with the link's folder before it where its text is relative, to be
 * released; NULL without memory. */
static char *link_target(const char *path, const char *text, size_t length) {
  const char *slash = text[0] == '/' ? NULL : strrchr(path, '/');
  size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
  char *target = rung_allocate(folder + length + 1);
  if (target == NULL) return NULL;
  memcpy(target, path, folder);
  memcpy(target + folder, text, length);
  target[folder + length] = '\0';
  return target;
}

/* By readlink and not realpath, which gives nothing where the last link leads to no file yet. */
char *rung_file_target(const char *path) {
  char text[LINK_SIZE];
  char *target = link_target("", path, strlen(path));
  for (int links = 0; target != NULL; links++) {
    ssize_t length = readlink(target, text, sizeof text);
    if (length < 0) return target; /* no link: a file, or nothing */
    char *next = NULL;
    if (links == MOST_LINKS || length == (ssize_t)sizeof text) {
      errno = links == MOST_LINKS ? ELOOP : ENAMETOOLONG;
      cannot_write(path);
    } else {
      next = link_target(target, text, (size_t)length);
    }
    rung_release(target);
    target = next;
  }
  return NULL;
}

/* A new file beside `path`, whose name becomes *temporary; -1 on failure, with errno. By open and not mkstemp, which
 * would keep the file from all but its owner, whatever the umask says. */
static int create_beside(const char *path, char *temporary, size_t size) {
  static _Atomic unsigned number;
  int descriptor;
  do { /* a process of the same id may have died here and left its file */
    snprintf(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&number, 1));
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EEXIST);
  return descriptor;
}

static rung_status open_temporary(rung_atomic_file *file, size_t size) {
  int descriptor = create_beside(file->target, file->temporary, size);
  if (descriptor >= 0) file->file = fdopen(descriptor, "wb");
  if (file->file != NULL) return RUNG_OK;
  rung_status status = cannot_write(file->path);
  if (descriptor >= 0) {
    close(descriptor);
    unlink(file->temporary);
  }
  return status;
}

static void free_names(rung_atomic_file *file) {
  rung_release(file->target);
  rung_release(file->temporary);
}

rung_status rung_atomic_open(rung_atomic_file *file, const char *path) {
  *file = (rung_atomic_file){.path = path};
  struct stat about;
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be written: not a regular file", path);
  file->target = rung_file_target(path);
  if (file->target == NULL) return rung_error_status();
  size_t size = strlen(file->target) + SUFFIX_SIZE;
  file->temporary = rung_allocate(size);
  rung_status status = file->temporary != NULL ? open_temporary(file, size) : RUNG_ERROR_MEMORY;
  if (status != RUNG_OK) free_names(file);
  return status;
}

rung_status rung_atomic_write(rung_atomic_file *file, const void *bytes, size_t size) {
  return fwrite(bytes, 1, size, file->file) == size ? RUNG_OK : cannot_write(file->path);
}

rung_status rung_atomic_write_elements(rung_atomic_file *file, const rung_tensor *tensor) {
  /* Byte i of a little-endian element is byte i ^ (size - 1) of a big-endian one: the size is a power of two. */
  const size_t size = rung_dtype_size(tensor->type), flip = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? size - 1 : 0;
  const unsigned char *bytes = tensor->data;
  unsigned char chunk[1 << 14];
  rung_status status = RUNG_OK;
  for (size_t left = (size_t)rung_tensor_count(tensor) * size, part; left > 0 && status == RUNG_OK; left -= part) {
    part = left < sizeof chunk ? left : sizeof chunk;
    for (size_t i = 0; i < part; i++) chunk[i] = bytes[i ^ flip];
    status = rung_atomic_write(file, chunk, part);
    bytes += part;
  }
  return status;
}

/* Makes the rename last. Not checked: the file is whole with or without it, and not every file system can. */
static void sync_folder(char *path) {
  char *slash = strrchr(path, '/');
  if (slash != NULL) slash[1] = '\0';
  int folder = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  (void)fsync(folder);
  close(folder);
}

rung_status rung_atomic_close(rung_atomic_file *file, rung_status status) {
  if (status == RUNG_OK && (fflush(file->file) != 0 || fsync(fileno(file->file)) != 0))
    status = cannot_write(file->path);
  if (fclose(file->file) != 0 && status == RUNG_OK) status = cannot_write(file->path);
  if (status == RUNG_OK && rename(file->temporary, file->target) != 0) status = cannot_write(file->path);
  if (status == RUNG_OK) {
    sync_folder(file->temporary);
  } else {
    unlink(file->temporary);
  }
  free_names(file);
  return status;
}

rung_status rung_file_write(const char *path, const void *bytes, size_t size) {
  rung_atomic_file file;
  rung_status status = rung_atomic_open(&file, path);
  return status == RUNG_OK ? rung_atomic_close(&file, rung_atomic_write(&file, bytes, size)) : status;
}
