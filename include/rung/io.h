/* rung/io.h: data from files, tensors to files. */
#ifndef RUNG_IO_H
#define RUNG_IO_H

#include <rung/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- IDX, the format of MNIST ----------------------------------------------------------------------------------- */

/* Reads an IDX file: magic 0 0 TYPE RANK, RANK big-endian u32 extents, then the elements, big-endian. TYPE 0x08 (u8),
 * 0x09 (i8), 0x0c (i32) and 0x0d (f32) are read; the file's size must be exactly what its header says. Plain, or
 * gzip-compressed (told by its first two bytes, whatever its name). *tensor owns its data: rung_idx_free it.
 * Integers get scale 1 and zero point 0.
 * RUNG_ERROR_IO: cannot be opened or read; RUNG_ERROR_FORMAT: wrong magic, type, rank, extents, size, a damaged gzip
 * stream; RUNG_ERROR_UNSUPPORTED: compressed, and this build has no zlib. */
RUNG_API rung_status rung_idx_read(const char *path, rung_tensor *tensor);
RUNG_API void rung_idx_free(rung_tensor *tensor);

/* ---- safetensors, the format weights travel in ------------------------------------------------------------------ */

typedef struct rung_named_tensor {
  const char *name; /* UTF-8, unique in a file */
  rung_tensor tensor;
} rung_named_tensor;

/* Writes the tensors in the safetensors format (github.com/huggingface/safetensors), aligned to their elements and
 * without holes. All of `rung_dtype` can be written, of any rank; the scale and zero point of integers have no place in
 * the format and are not written. The file is flushed to the disk and appears at `path`, in place of one that was
 * there, when it is whole; a failure leaves what was there and nothing else.
 * RUNG_ERROR_IO: cannot be written; RUNG_ERROR_ARGUMENT: a name missing, twice, "__metadata__" or not UTF-8, no data;
 * RUNG_ERROR_SHAPE: a shape that is none. */
RUNG_API rung_status rung_safetensors_write(const char *path, const rung_named_tensor *tensors, int count);

/* ---- Any file --------------------------------------------------------------------------------------------------- */

/* Writes `size` bytes as the file at `path`, in the same way: flushed to the disk, whole or not at all.
 * RUNG_ERROR_IO: cannot be written, or what stands there is no regular file. */
RUNG_API rung_status rung_file_write(const char *path, const void *bytes, size_t size);

/* ---- Datasets --------------------------------------------------------------------------------------------------- */

/* Examples and what they should give. Public to read; made by the functions below. */
typedef struct rung_dataset {
  char name[64];
  int64_t count;
  rung_tensor inputs;    /* [count, ...]: u8 with scale and zero point (a pixel p is the real p / 255), or f32 */
  const int32_t *labels; /* [count], each 0 .. classes-1; NULL in a regression set */
  int32_t classes;       /* 0 in a regression set */
  rung_tensor targets;   /* f32 [count, ...] in a regression set; data NULL otherwise */
  void *owned;           /* what rung_dataset_free releases; NULL for a view */
} rung_dataset;

typedef enum rung_split { RUNG_TRAIN = 0, RUNG_TEST } rung_split;

/* `name` is "mnist", "fashion-mnist" (looked for in $RUNG_DATA/NAME, ./data/NAME, then the folders where the system's
 * packages put them; scripts/get-data fetches them) or a folder that holds the four IDX files
 *   train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte
 * each plain or with .gz. Pictures stay u8 (scale 1/255). Labels must be 0 .. 9 and as many as the pictures.
 * NULL with a message that names the file otherwise. */
RUNG_API rung_dataset *rung_dataset_load(const char *name, rung_split split);

/* From the caller's memory, borrowed: it must outlive the dataset. `inputs` [count, ...] of rank 2 or more, f32 (no
 * NaN) or u8 with its scale > 0 and zero point 0..255; exactly one of `labels` (count of them, with `classes` >= 2) and
 * `targets` (f32 [count, ...] of rank 2 or more, no NaN). `name` is for messages. */
RUNG_API rung_dataset *rung_dataset_new(const char *name, const rung_tensor *inputs, const int32_t *labels,
                                        int32_t classes, const rung_tensor *targets);
/* Examples begin .. begin+count-1 of `parent`, which must outlive the view. */
RUNG_API rung_dataset *rung_dataset_view(const rung_dataset *parent, int64_t begin, int64_t count);
RUNG_API void rung_dataset_free(rung_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
