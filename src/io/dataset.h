/* What the files of datasets share. */
#ifndef IO_DATASET_H
#define IO_DATASET_H

#include <rung/io.h>

/* rung_dataset.owned of a dataset that was read from files. */
typedef struct rung_dataset_storage {
  rung_tensor inputs; /* made by rung_idx_read */
  int32_t *labels;    /* made by rung_allocate */
} rung_dataset_storage;

void rung_dataset_storage_free(rung_dataset_storage *storage);

#endif
