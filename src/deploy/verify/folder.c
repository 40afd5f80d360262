/* A folder for what compilers and interpreters need, gone afterwards. */
#include "child.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *folder_file(rung_arena *arena, const char *folder, const char *name) {
  size_t size = strlen(folder) + strlen(name) + 2;
  char *path = rung_arena_allocate(arena, size);
  if (path) snprintf(path, size, "%s/%s", folder, name);
  return path;
}

rung_status folder_make(rung_arena *arena, const char **path) {
  const char *parent = getenv("TMPDIR");
  *path = NULL;
  char *made = folder_file(arena, parent && *parent ? parent : "/tmp", "rung-verify-XXXXXX");
  if (!made) return RUNG_ERROR_MEMORY;
  if (!mkdtemp(made)) return rung_fail(RUNG_ERROR_IO, "verify: cannot make the folder '%s': %s", made, strerror(errno));
  *path = made;
  return RUNG_OK;
}

void folder_remove(const char *path) {
  DIR *folder = path ? opendir(path) : NULL;
  if (!folder) return;
  const struct dirent *entry;
  while ((entry = readdir(folder)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      (void)unlinkat(dirfd(folder), entry->d_name, 0);
  closedir(folder);
  (void)rmdir(path);
}
