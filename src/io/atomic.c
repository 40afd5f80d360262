/* Files that appear whole or not at all. */
#include <rung/io.h>

#include "atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_SIZE 48 /* of ".PROCESS-NUMBER.tmp" */

static rung_status cannot_write(const char *path) {
  return rung_fail(RUNG_ERROR_IO, "%s: cannot be written: %s", path, strerror(errno));
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

rung_status rung_atomic_open(rung_atomic_file *file, const char *path) {
  *file = (rung_atomic_file){.path = path};
  struct stat about;
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be written: not a regular file", path);
  size_t size = strlen(path) + SUFFIX_SIZE;
  file->temporary = rung_allocate(size);
  if (file->temporary == NULL) return RUNG_ERROR_MEMORY;
  int descriptor = create_beside(path, file->temporary, size);
  if (descriptor >= 0) file->file = fdopen(descriptor, "wb");
  if (file->file != NULL) return RUNG_OK;
  rung_status status = cannot_write(path);
  if (descriptor >= 0) {
    close(descriptor);
    unlink(file->temporary);
  }
  rung_release(file->temporary);
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
  if (status == RUNG_OK && rename(file->temporary, file->path) != 0) status = cannot_write(file->path);
  if (status == RUNG_OK) {
    sync_folder(file->temporary);
  } else {
    unlink(file->temporary);
  }
  rung_release(file->temporary);
  return status;
}

rung_status rung_file_write(const char *path, const void *bytes, size_t size) {
  rung_atomic_file file;
  rung_status status = rung_atomic_open(&file, path);
  return status == RUNG_OK ? rung_atomic_close(&file, rung_atomic_write(&file, bytes, size)) : status;
}
