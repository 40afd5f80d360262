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

/* ---- NPY, the format of numpy.save ------------------------------------------------------------------------------ */

/* Reads an NPY file (numpy.lib.format, versions 1.0 to 3.0), plain or gzip-compressed: elements of b1 i1 i2 i4 i8 u1 u2
 * u4 u8 f2 f4 f8, little- or big-endian, in C order, of rank 0..6. Floats become f32, u1 u8, b1 and i1 i8, all other
 * integers i32. *tensor owns its data: rung_npy_free it. Integers get scale 1 and zero point 0.
 * RUNG_ERROR_IO: cannot be opened or read; RUNG_ERROR_FORMAT: a header that is none, an extent of 0, a size that is not
 * what the header says; RUNG_ERROR_NUMERIC: an integer beyond i32, a finite f8 beyond f32; RUNG_ERROR_UNSUPPORTED:
 * another type, Fortran's order (save numpy.ascontiguousarray(x)), compressed without zlib. */
RUNG_API rung_status rung_npy_read(const char *path, rung_tensor *tensor);
RUNG_API void rung_npy_free(rung_tensor *tensor);

/* Writes an f32, f16, i32, i8 or u8 tensor as NPY 1.0, little-endian; the scale and zero point of integers have no
 * place in the format. Appears whole or not at all, as with rung_safetensors_write. RUNG_ERROR_UNSUPPORTED: a type that
 * numpy lacks; RUNG_ERROR_IO; RUNG_ERROR_ARGUMENT; RUNG_ERROR_SHAPE. */
RUNG_API rung_status rung_npy_write(const char *path, const rung_tensor *tensor);

/* ---- safetensors, the format weights travel in ------------------------------------------------------------------ */

typedef struct rung_named_tensor {
  const char *name; /* UTF-8, unique in a file */
  rung_tensor tensor;
} rung_named_tensor;

/* What a file says about itself beside its tensors. */
typedef struct rung_metadata {
  const char *key, *value; /* UTF-8, the key unique in a file */
} rung_metadata;

/* Writes the tensors in the safetensors format (github.com/huggingface/safetensors), aligned to their elements and
 * without holes. All of `rung_dtype` can be written, of any rank; the scale and zero point of integers have no place in
 * the format and are not written. The file is flushed to the disk and appears at `path`, in place of one that was
 * there, when it is whole; a failure leaves what was there and nothing else.
 * RUNG_ERROR_IO: cannot be written; RUNG_ERROR_ARGUMENT: a name missing, twice, "__metadata__" or not UTF-8, no data;
 * RUNG_ERROR_SHAPE: a shape that is none; RUNG_ERROR_UNSUPPORTED: this build has no cJSON. */
RUNG_API rung_status rung_safetensors_write(const char *path, const rung_named_tensor *tensors, int count);
/* The same with metadata. */
RUNG_API rung_status rung_safetensors_write_with(const char *path, const rung_named_tensor *tensors, int count,
                                                 const rung_metadata *metadata, int metadata_count);

/* A file that was read: all of it, in memory. */
typedef struct rung_safetensors rung_safetensors;

/* Reads a safetensors file and holds it against every rule of the format: the length of the header, its JSON, unique
 * names, known types, and data that are the tensors one behind the other, from the first byte to the last. NULL with a
 * message that names the file and the tensor otherwise. Memory is bounded by the size of the file. */
RUNG_API rung_safetensors *rung_safetensors_open(const char *path);
RUNG_API void rung_safetensors_free(rung_safetensors *file);
RUNG_API int rung_safetensors_count(const rung_safetensors *file);
/* Tensor 0 .. count-1, in the order of the data; borrowed. Integers have scale 1 and zero point 0. A tensor of a type
 * or shape that Rung lacks (F64, I64, BOOL, an extent of 0 ...) has data NULL, and rung_error() then names it. */
RUNG_API rung_named_tensor rung_safetensors_tensor(const rung_safetensors *file, int index);
/* The tensor of that name; NULL (without a message) if there is none; data NULL as above. */
RUNG_API const rung_tensor *rung_safetensors_find(const rung_safetensors *file, const char *name);
/* The same of this type and shape; NULL with a message otherwise: RUNG_ERROR_FORMAT, _SHAPE or _UNSUPPORTED. */
RUNG_API const rung_tensor *rung_safetensors_expect(const rung_safetensors *file, const char *name, rung_dtype type,
                                                    const rung_shape *shape);
/* NULL if the file does not say. */
RUNG_API const char *rung_safetensors_metadata(const rung_safetensors *file, const char *key);
RUNG_API int rung_safetensors_metadata_count(const rung_safetensors *file);
RUNG_API rung_metadata rung_safetensors_metadata_at(const rung_safetensors *file, int index); /* in order of the keys */

/* ---- Any file --------------------------------------------------------------------------------------------------- */

/* Writes `size` bytes as the file at `path`, in the same way: flushed to the disk, whole or not at all.
 * RUNG_ERROR_IO: cannot be written, or what stands there is no regular file. */
RUNG_API rung_status rung_file_write(const char *path, const void *bytes, size_t size);
/* The file that everything in Rung that writes to `path` makes or replaces: `path` itself or, where a symbolic link
 * stands there, what it leads to, whether that is there yet or not. To be rung_release'd; NULL with a message,
 * RUNG_ERROR_IO: the links lead in a circle. */
RUNG_API char *rung_file_target(const char *path);

/* ---- Datasets --------------------------------------------------------------------------------------------------- */

/* Examples and what they should give. Public to read; made by the functions below. */
typedef struct rung_dataset {
  char name[64];
  int64_t count;
  rung_tensor inputs;    /* [count, ...]: u8 with scale and zero point (a pixel p is the real p / 255), or f32 */
  const int32_t *labels; /* [count], each 0 .. classes-1; NULL in a regression set */
  int32_t classes;       /* 0 in a regression set */
  const char *const *class_names; /* [classes], ascending by strcmp, where the file has names; NULL otherwise */
  rung_tensor targets;            /* f32 [count, ...] in a regression set; data NULL otherwise */
  void *owned;                    /* what rung_dataset_free releases; NULL for a view */
} rung_dataset;

typedef enum rung_split { RUNG_TRAIN = 0, RUNG_TEST } rung_split;

/* `name` is "mnist", "fashion-mnist", "letters" (looked for in $RUNG_DATA/NAME, ./data/NAME, then the folders where the
 * system's packages put them; scripts/get-data fetches them) or a folder that holds the four IDX files
 *   train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte
 * each plain or with .gz. Pictures stay u8 (scale 1/255). Labels must be 0 .. 9 (letters: 0 .. 25) and as many as the
 * pictures.
 * NULL with a message that names the file otherwise. */
RUNG_API rung_dataset *rung_dataset_load(const char *name, rung_split split);

typedef enum rung_csv_header {
  RUNG_CSV_HEADER_DETECT = 0, /* the first line is one if none of its fields is a number, nan or inf */
  RUNG_CSV_HEADER_YES,
  RUNG_CSV_HEADER_NO
} rung_csv_header;

typedef struct rung_csv_options {
  char separator;           /* ',', ';' or '\t'; 0: the one that the first line has most of */
  rung_csv_header header;   /* does the first line name the columns? */
  const char *label;        /* the column of the class: "last" (NULL is the same), "first", or its name in the header */
  const char *targets;      /* not NULL: a regression on these columns: "last", "last 3", "first 2", or names in the
                               header, separated by commas, in this order */
  bool pixels;              /* the inputs are integers 0..255, kept as u8 with scale 1/255 */
  const rung_dataset *like; /* e.g. the training set, for a test set: as many inputs, and the classes of that */
} rung_csv_options;

/* Reads a text of one example a line (RFC 4180; also with spaces about fields, blank lines, LF for CRLF, a UTF-8 byte
 * order mark; gzip-compressed or plain). All columns but the label's or the targets' are inputs [count, inputs]:
 * decimal numbers with a point, whatever the locale, rounded to the nearest f32. Labels are all integers from 0 on
 * (`classes` is the largest plus 1) or all names (sorted, numbered from 0, kept in class_names), as the first one is.
 * `options` may be NULL. NULL with a message that names file, line and column where a field is no finite number, a line
 * has more or fewer fields than the first, a label is of the other kind or not in `like`. */
RUNG_API rung_dataset *rung_dataset_read_csv(const char *path, const rung_csv_options *options);

typedef struct rung_npy_options {
  float scale;              /* of u1 inputs; 0: 1/255 */
  const rung_dataset *like; /* as in rung_csv_options */
} rung_npy_options;

/* Two files of numpy.save, one example a row of each. Inputs [count, ...]: u1 stays u8 with its scale, all else becomes
 * f32. Targets: integers [count] are labels from 0 on (`classes` is the largest plus 1), floats [count, ...] those of a
 * regression. A rank of 1 is taken as [count, 1]. Numbers are finite. `options` may be NULL. NULL with a message
 * otherwise. */
RUNG_API rung_dataset *rung_dataset_read_npy(const char *inputs_path, const char *targets_path,
                                             const rung_npy_options *options);

/* From the caller's memory, borrowed: it must outlive the dataset. `inputs` [count, ...] of rank 2 or more, f32 (no
 * NaN) or u8 with its scale > 0 and zero point 0..255; exactly one of `labels` (count of them, with `classes` >= 2) and
 * `targets` (f32 [count, ...] of rank 2 or more, no NaN). `name` is for messages. */
RUNG_API rung_dataset *rung_dataset_new(const char *name, const rung_tensor *inputs, const int32_t *labels,
                                        int32_t classes, const rung_tensor *targets);
/* Examples begin .. begin+count-1 of `parent`, which must outlive the view. */
RUNG_API rung_dataset *rung_dataset_view(const rung_dataset *parent, int64_t begin, int64_t count);
/* All of `parent`, whose inputs are pictures [count, ..., height, width], as a view with pictures of its own: the same
 * at first. `parent` must outlive it. NULL with a message: other inputs (RUNG_ERROR_SHAPE), no memory. */
RUNG_API rung_dataset *rung_dataset_movable(const rung_dataset *parent);
/* Makes each picture of `movable` that of `parent` moved by whole pixels, -most .. most down and as many to the right,
 * drawn from `rng`; zeros come in at the border. To be called before each epoch (rung_fit_options.progress), it gives a
 * network other pictures every time: the least data augmentation there is. most: 0..32767. */
RUNG_API rung_status rung_dataset_move(rung_dataset *movable, const rung_dataset *parent, int most, rung_rng *rng);
RUNG_API void rung_dataset_free(rung_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
