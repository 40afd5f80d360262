/* Where datasets lie on disk, and reading them from there. */
#include "dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE     4096
#define SYSTEM_FOLDER "/usr/share/datasets" /* of Debian's dataset-* packages */

static const struct known {
  const char *name;
  int32_t classes;
} known[] = {{"mnist", 10}, {"fashion-mnist", 10}, {"letters", 26}};

enum { FOLDER_CLASSES = 10 }; /* of a folder that is none of them */

static const struct {
  const char *images, *labels;
} files[] = {
    [RUNG_TRAIN] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    [RUNG_TEST] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
};

/* `file` in `folder` as it is there: plain, or else with .gz. */
static bool find_file(const char *folder, const char *file, char path[PATH_SIZE]) {
  static const char *const endings[] = {"", ".gz"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    int length = snprintf(path, PATH_SIZE, "%s/%s%s", folder, file, endings[i]);
    if (length > 0 && length < PATH_SIZE && access(path, F_OK) == 0) return true;
  }
  return false;
}

/* NULL if it is none. */
static const struct known *find_name(const char *name) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i].name) == 0) return &known[i];
  return NULL;
}

/* The first of the folders for a known name that holds the pictures of `split`. */
static rung_status search(const char *name, rung_split split, char folder[PATH_SIZE]) {
  const char *own = getenv("RUNG_DATA");
  const char *const roots[] = {own, "./data", SYSTEM_FOLDER};
  char path[PATH_SIZE];
  for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
    if (roots[i] == NULL || roots[i][0] == '\0') continue;
    int length = snprintf(folder, PATH_SIZE, "%s/%s", roots[i], name);
    if (length > 0 && length < PATH_SIZE && find_file(folder, files[split].images, path)) return RUNG_OK;
  }
  return rung_fail(RUNG_ERROR_IO,
                   "%s: not found in $RUNG_DATA/%s (RUNG_DATA is %s), ./data/%s or %s/%s: run scripts/get-data %s",
                   name, name, own != NULL ? own : "not set", name, SYSTEM_FOLDER, name, name);
}

static rung_status find_folder(const char *name, rung_split split, char folder[PATH_SIZE]) {
  if (find_name(name)) return search(name, split, folder);
  struct stat about;
  if (strlen(name) >= PATH_SIZE || stat(name, &about) != 0 || !S_ISDIR(about.st_mode))
    return rung_fail(RUNG_ERROR_IO, "%s: no such dataset: expected mnist, fashion-mnist, letters or a folder", name);
  strcpy(folder, name);
  return RUNG_OK;
}

/* Reads `file` of `folder`, which must be u8 of a rank in least_rank .. most_rank; `path` becomes its path. */
static rung_status read_bytes(const char *folder, const char *file, int least_rank, int most_rank, char path[PATH_SIZE],
                              rung_tensor *tensor) {
  if (!find_file(folder, file, path))
    return rung_fail(RUNG_ERROR_IO, "%s: holds neither %s nor %s.gz", folder, file, file);
  rung_status status = rung_idx_read(path, tensor);
  if (status != RUNG_OK) return status;
  if (tensor->type == RUNG_U8 && tensor->shape.rank >= least_rank && tensor->shape.rank <= most_rank) return RUNG_OK;
  status =
      rung_fail(RUNG_ERROR_FORMAT, "%s: %s of rank %d, expected u8 of rank %d%s", path, rung_dtype_name(tensor->type),
                tensor->shape.rank, least_rank, most_rank > least_rank ? " or more" : "");
  rung_idx_free(tensor);
  return status;
}

static rung_status widen_labels(const char *path, const rung_tensor *bytes, int32_t classes, int32_t **labels) {
  int64_t count = rung_tensor_count(bytes);
  *labels = rung_allocate((size_t)count * sizeof **labels);
  if (*labels == NULL) return RUNG_ERROR_MEMORY;
  const uint8_t *narrow = bytes->data;
  for (int64_t i = 0; i < count; i++) {
    if (narrow[i] >= classes)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: label %d at %" PRId64 ", expected 0..%d", path, narrow[i], i,
                       (int)classes - 1);
    (*labels)[i] = narrow[i];
  }
  return RUNG_OK;
}

static rung_status read_split(const char *folder, rung_split split, int32_t classes, rung_dataset_storage *storage) {
  char images_path[PATH_SIZE], labels_path[PATH_SIZE];
  rung_tensor labels = {0};
  rung_tensor *images = &storage->inputs;
  rung_status status = read_bytes(folder, files[split].images, 2, RUNG_MAX_RANK, images_path, images);
  if (status == RUNG_OK) status = read_bytes(folder, files[split].labels, 1, 1, labels_path, &labels);
  if (status == RUNG_OK && images->shape.extent[0] != labels.shape.extent[0])
    status = rung_fail(RUNG_ERROR_FORMAT, "%s: %" PRId64 " labels, expected as many as the %" PRId64 " pictures of %s",
                       labels_path, labels.shape.extent[0], images->shape.extent[0], images_path);
  if (status == RUNG_OK) status = widen_labels(labels_path, &labels, classes, &storage->labels);
  rung_idx_free(&labels);
  images->scale = 1.0f / 255.0f;
  return status;
}

rung_dataset *rung_dataset_load(const char *name, rung_split split) {
  if (name == NULL || (split != RUNG_TRAIN && split != RUNG_TEST)) {
    rung_fail(RUNG_ERROR_ARGUMENT, "%s: split %d, expected a name, and RUNG_TRAIN or RUNG_TEST",
              name != NULL ? name : "no name", (int)split);
    return NULL;
  }
  char folder[PATH_SIZE];
  if (find_folder(name, split, folder) != RUNG_OK) return NULL;
  rung_dataset_storage *storage = rung_allocate(sizeof *storage);
  if (storage == NULL) return NULL;
  const int32_t classes = find_name(name) ? find_name(name)->classes : FOLDER_CLASSES;
  if (read_split(folder, split, classes, storage) == RUNG_OK) return rung_dataset_own(name, storage, classes, NULL);
  rung_dataset_storage_free(storage);
  return NULL;
}
