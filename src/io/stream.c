/* Plain files, and gzip files through zlib where the build has it. */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_CAPACITY ((size_t)1 << 20) /* bytes for what is inflated, before it is known how much that is */

#ifdef RUNG_HAVE_ZLIB
#include <zlib.h>

#define GZIP_WINDOW  (15 + 16) /* zlib's way to say: any window, gzip header and trailer required */
#define INFLATE_MOST (1 << 30) /* output bytes a call: zlib counts in unsigned int */

struct rung_inflater {
  z_stream z;
  bool between_members; /* a gzip file is one or more members; only here may it end */
  unsigned char input[1 << 16];
};

static rung_status inflater_open(rung_stream *stream) {
  struct rung_inflater *inflater = rung_allocate(sizeof *inflater);
  if (inflater == NULL) return RUNG_ERROR_MEMORY;
  if (inflateInit2(&inflater->z, GZIP_WINDOW) != Z_OK) {
    rung_release(inflater);
    return rung_fail(RUNG_ERROR_MEMORY, "%s: zlib found no memory to begin with", stream->path);
  }
  stream->inflater = inflater;
  return RUNG_OK;
}

static void inflater_close(struct rung_inflater *inflater) {
  if (inflater != NULL) inflateEnd(&inflater->z);
  rung_release(inflater);
}

/* Makes input available; *end tells that there is none and that none is missing. */
static rung_status inflater_refill(rung_stream *stream, bool *end) {
  struct rung_inflater *inflater = stream->inflater;
  if (inflater->z.avail_in == 0) {
    inflater->z.next_in = inflater->input;
    inflater->z.avail_in = (uInt)fread(inflater->input, 1, sizeof inflater->input, stream->file);
    if (ferror(stream->file)) return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", stream->path, strerror(errno));
  }
  *end = inflater->z.avail_in == 0 && inflater->between_members;
  if (inflater->z.avail_in == 0 && !*end)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: the file ends in the middle of its gzip stream", stream->path);
  return RUNG_OK;
}

static rung_status inflater_read(rung_stream *stream, void *buffer, size_t wanted, size_t *got) {
  struct rung_inflater *inflater = stream->inflater;
  z_stream *z = &inflater->z;
  *got = 0;
  while (*got < wanted) {
    bool end = false;
    rung_status status = inflater_refill(stream, &end);
    if (status != RUNG_OK || end) return status;
    if (inflater->between_members) inflateReset(z);
    size_t room = wanted - *got < INFLATE_MOST ? wanted - *got : INFLATE_MOST;
    z->next_out = (Bytef *)buffer + *got;
    z->avail_out = (uInt)room;
    int code = inflate(z, Z_NO_FLUSH);
    *got += room - z->avail_out;
    inflater->between_members = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR) return rung_fail(RUNG_ERROR_MEMORY, "%s: zlib found no memory", stream->path);
    if (code != Z_OK && code != Z_STREAM_END)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: damaged gzip stream: %s", stream->path, z->msg ? z->msg : "bad data");
  }
  return RUNG_OK;
}

#else

static rung_status inflater_open(rung_stream *stream) {
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: compressed by gzip, and this build has no zlib to read it",
                   stream->path);
}

static void inflater_close(struct rung_inflater *inflater) {
  (void)inflater;
}

static rung_status inflater_read(rung_stream *stream, void *buffer, size_t wanted, size_t *got) {
  (void)buffer, (void)wanted, (void)got;
  return inflater_open(stream);
}

#endif

/* Sets size and inflater of an open file by its first two bytes. */
static rung_status recognize(rung_stream *stream) {
  struct stat about;
  if (fstat(fileno(stream->file), &about) != 0)
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", stream->path, strerror(errno));
  if (!S_ISREG(about.st_mode)) return rung_fail(RUNG_ERROR_IO, "%s: not a regular file", stream->path);
  unsigned char magic[2] = {0};
  if (fread(magic, 1, sizeof magic, stream->file) < sizeof magic && ferror(stream->file))
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", stream->path, strerror(errno));
  rewind(stream->file);
  bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
  stream->size = gzip ? -1 : (int64_t)about.st_size;
  return gzip ? inflater_open(stream) : RUNG_OK;
}

rung_status rung_stream_open(rung_stream *stream, const char *path) {
  *stream = (rung_stream){.path = path, .file = fopen(path, "rb")};
  if (stream->file == NULL) return rung_fail(RUNG_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
  rung_status status = recognize(stream);
  if (status != RUNG_OK) rung_stream_close(stream);
  return status;
}

void rung_stream_close(rung_stream *stream) {
  inflater_close(stream->inflater);
  fclose(stream->file);
}

rung_status rung_stream_read(rung_stream *stream, void *buffer, size_t wanted, size_t *got) {
  if (stream->inflater != NULL) return inflater_read(stream, buffer, wanted, got);
  *got = fread(buffer, 1, wanted, stream->file);
  if (*got < wanted && ferror(stream->file))
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", stream->path, strerror(errno));
  return RUNG_OK;
}

rung_status rung_stream_read_exactly(rung_stream *stream, void *buffer, size_t wanted, const char *what) {
  size_t got = 0;
  rung_status status = rung_stream_read(stream, buffer, wanted, &got);
  if (status == RUNG_OK && got < wanted)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: the file ends within its %s", stream->path, what);
  return status;
}

/* Doubles the block, up to `most`. */
static rung_status grow(char **memory, size_t *capacity, size_t most) {
  size_t wider = *capacity > most / 2 ? most : 2 * *capacity;
  char *larger = rung_allocate(wider + 1);
  if (larger == NULL) return RUNG_ERROR_MEMORY;
  memcpy(larger, *memory, *capacity);
  rung_release(*memory);
  *memory = larger;
  *capacity = wider;
  return RUNG_OK;
}

rung_status rung_stream_read_rest(rung_stream *stream, size_t most, void **memory, size_t *size) {
  if (stream->inflater == NULL && most > (size_t)stream->size) most = (size_t)stream->size;
  if (most > PTRDIFF_MAX) most = PTRDIFF_MAX;
  size_t held = 0, got = 1, capacity = most;
  if (stream->inflater != NULL && capacity > FIRST_CAPACITY) capacity = FIRST_CAPACITY;
  *memory = NULL;
  char *block = rung_allocate(capacity + 1);
  rung_status status = block != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
  for (; status == RUNG_OK && held < most && got > 0; held += got) {
    got = 0;
    if (held == capacity) status = grow(&block, &capacity, most);
    if (status == RUNG_OK) status = rung_stream_read(stream, block + held, capacity - held, &got);
  }
  if (status != RUNG_OK) {
    rung_release(block);
    return status;
  }
  *memory = block;
  *size = held;
  return RUNG_OK;
}
