/* What the files of datasets share. */
#ifndef IO_DATASET_H
#define IO_DATASET_H

#include <rung/io.h>

/* rung_dataset.owned of a dataset that was read from files; each part made by rung_allocate. */
typedef struct rung_dataset_storage {
  rung_tensor inputs;
  int32_t *labels;          /* or NULL */
  rung_tensor targets;      /* or data NULL */
  const char **class_names; /* or NULL; one block with the names themselves */
} rung_dataset_storage;

void rung_dataset_storage_free(rung_dataset_storage *storage);

/* The dataset that owns `storage`, all checked, and with as many inputs as `like` (if not NULL). `classes` 0: the
 * largest label and one more, 2 at least. The name is the path's last part. On failure NULL, and `storage` is freed. */
rung_dataset *rung_dataset_own(const char *path, rung_dataset_storage *storage, int32_t classes,
                               const rung_dataset *like);

#endif
