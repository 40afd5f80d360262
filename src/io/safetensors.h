/* The safetensors format (github.com/huggingface/safetensors) from the inside: the header's length (u64), a JSON
 * header, then the tensors' elements, all little-endian. safetensors_header.c knows the JSON, safetensors_write.c and
 * safetensors_read.c the file around it. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include <rung/io.h>

#define SAFETENSORS_LARGEST_HEADER 100000000 /* bytes: what the format's reference reader accepts */
#define SAFETENSORS_METADATA       "__metadata__"

/* A number format of the format's; `type` is RUNG_DTYPE_COUNT where Rung has no such. */
typedef struct safetensors_dtype {
  const char *name;
  int bits;
  rung_dtype type;
} safetensors_dtype;

/* One tensor as the header tells it. Its elements lie at begin .. end-1 of the data behind the header. */
typedef struct safetensors_entry {
  rung_named_tensor named; /* data NULL so far; the shape only if `readable` */
  const safetensors_dtype *dtype;
  bool readable; /* its type and shape are such as Rung has */
  uint64_t begin, end;
} safetensors_entry;

typedef struct safetensors_header {
  safetensors_entry *entries; /* in the order of the data */
  int count;
  rung_metadata *metadata;
  int metadata_count;
} safetensors_header;

const safetensors_dtype *safetensors_dtype_of(rung_dtype type);

/* The header of `data_size` bytes of data, in memory of the arena; every rule of the format is checked. The messages
 * begin with `path`. */
rung_status safetensors_header_parse(const char *path, const char *text, size_t size, uint64_t data_size,
                                     rung_arena *arena, safetensors_header *header);

/* The JSON of a header for the tensors in this order, one behind the other; to be freed by safetensors_header_free.
 * NULL with a message on failure. */
char *safetensors_header_print(const char *path, const rung_named_tensor *const *order, int count,
                               const rung_metadata *metadata, int metadata_count);
void safetensors_header_free(char *text);

#endif
