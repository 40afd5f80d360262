/* A file read once from front to back, and inflated on the way if it is gzip (RFC 1952). */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <rung/core.h>
#include <stdio.h>

typedef struct rung_stream {
  const char *path;               /* borrowed */
  FILE *file;                     /* a regular file */
  int64_t size;                   /* of a plain file, in bytes; -1 for gzip, whose size is known only at its end */
  struct rung_inflater *inflater; /* NULL for a plain file */
} rung_stream;

/* The messages begin with `path`. After a failure there is nothing to close. */
rung_status rung_stream_open(rung_stream *stream, const char *path);
void rung_stream_close(rung_stream *stream);

/* *got < wanted only at the end, which for gzip is a good one: complete, its checksums right, nothing behind it. */
rung_status rung_stream_read(rung_stream *stream, void *buffer, size_t wanted, size_t *got);

/* The same for what is in the way of the elements: a file that ends before `wanted` bytes ends "within its `what`". */
rung_status rung_stream_read_exactly(rung_stream *stream, void *buffer, size_t wanted, const char *what);

/* Reads what is left, up to `most` bytes, into *memory (rung_release it), which has a zero byte behind them. It is no
 * larger than the file, or for gzip than twice what has really been inflated (and 1 MiB), whatever `most` is: a header
 * that lies cannot ask for gigabytes. NULL after a failure. */
rung_status rung_stream_read_rest(rung_stream *stream, size_t most, void **memory, size_t *size);

#endif
