/* Runs a fuzz target over files and over all files of folders: the committed seeds, or what a fuzzer found. One at
 * least must be taken. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static int files;

static void replay_file(const char *path, size_t size) {
  FILE *file = fopen(path, "rb");
  uint8_t *bytes = malloc(size + 1);
  ENSURE(file != NULL && bytes != NULL && fread(bytes, 1, size, file) == size);
  fclose(file);
  uint8_t *exact = realloc(bytes, size > 0 ? size : 1); /* so that a byte too many is seen */
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  files++;
}

static void replay(const char *path) {
  struct stat about;
  ENSURE(stat(path, &about) == 0);
  if (!S_ISDIR(about.st_mode)) {
    replay_file(path, (size_t)about.st_size);
    return;
  }
  DIR *folder = opendir(path);
  ENSURE(folder != NULL);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char inner[4096];
    snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
    if (entry->d_name[0] != '.') replay(inner);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  printf("%d files, %d taken\n", files, fuzz_taken);
  if (fuzz_taken > 0) return EXIT_SUCCESS;
  bool skip = files > 0 && rung_error_status() == RUNG_ERROR_UNSUPPORTED;
  if (skip) puts(rung_error()); /* this build lacks a library; else the seeds are of a format that was */
  return skip ? 77 : EXIT_FAILURE;
}
