/* A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed into it. */
#ifndef IO_ATOMIC_H
#define IO_ATOMIC_H

#include <rung/core.h>
#include <stdio.h>

typedef struct rung_atomic_file {
  const char *path; /* borrowed */
  char *target;     /* what is replaced: `path`, or what a symbolic link there leads to */
  char *temporary;  /* where it is written: beside `target`, so that a rename does not cross file systems */
  FILE *file;
} rung_atomic_file;

/* The messages begin with `path`. After a failure there is nothing to close. What stands at `path` must be a regular
 * file, nothing, or a symbolic link to one of these, which is followed: a rename would put an end to a device or a
 * link. */
rung_status rung_atomic_open(rung_atomic_file *file, const char *path);
rung_status rung_atomic_write(rung_atomic_file *file, const void *bytes, size_t size);
/* The tensor's elements, little-endian. */
rung_status rung_atomic_write_elements(rung_atomic_file *file, const rung_tensor *tensor);

/* Ends it. `status` is how writing went: RUNG_OK puts the file in its place, anything else, or a failure in doing so,
 * removes it and leaves what stood at `path`. Returns `status`, or that failure. */
rung_status rung_atomic_close(rung_atomic_file *file, rung_status status);

#endif
