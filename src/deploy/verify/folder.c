/* A folder for what compilers and interpreters need, gone afterwards. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "child.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *folder_file(rung_arena *arena, const char *folder, const char *name) {
  size_t size = strlen(folder) + strlen(name) + 2;
  char *path = rung_arena_allocate(arena, size);
  if (path) snprintf(path, size, "%s/%s", folder, name);
  return path;
}

rung_status folder_make(rung_arena *arena, const char **path) {
  const char *parent = getenv("TMPDIR");
  *path = NULL;
  char *made = folder_file(arena, parent && *parent ? parent : P_tmpdir, "rung-verify-XXXXXX");
  if (!made) return RUNG_ERROR_MEMORY;
  if (!mkdtemp(made)) return rung_fail(RUNG_ERROR_IO, "verify: cannot make the folder '%s': %s", made, strerror(errno));
  *path = made;
  return RUNG_OK;
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *place) {
  (void)about, (void)type, (void)place;
  (void)remove(path);
  return 0;
}

void folder_remove(const char *path) {
  if (path) (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
