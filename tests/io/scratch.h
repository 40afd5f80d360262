/* Files for the tests of the io floor, in a folder of their own that is removed at exit. */
#ifndef TESTS_IO_SCRATCH_H
#define TESTS_IO_SCRATCH_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_folder[512];

static inline void scratch_remove_tree(const char *path) {
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    char inner[1024];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    int length = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
    if (length < (int)sizeof inner && remove(inner) != 0) scratch_remove_tree(inner);
  }
  if (folder != NULL) closedir(folder);
  remove(path);
}

static inline void scratch_remove(void) {
  scratch_remove_tree(scratch_folder);
}

/* The path of `name` in the scratch folder; the folders on the way are made. Valid until the fourth next call. */
static inline const char *scratch_path(const char *name) {
  static char paths[4][1024];
  static int next;
  if (scratch_folder[0] == '\0') {
    const char *temporary = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/rung-test-XXXXXX", temporary ? temporary : "/tmp");
    if (mkdtemp(scratch_folder) == NULL) abort();
    atexit(scratch_remove);
  }
  char *path = paths[next++ % 4];
  size_t root = (size_t)snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name) - strlen(name);
  for (char *slash = strchr(path + root, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
  }
  return path;
}

static inline const char *scratch_write(const char *name, const void *bytes, size_t size) {
  const char *path = scratch_path(name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
  return path;
}

/* All of a file; the caller frees it. */
static inline unsigned char *scratch_read(const char *path, size_t *size) {
  struct stat about;
  FILE *file = fopen(path, "rb");
  if (file == NULL || fstat(fileno(file), &about) != 0) abort();
  *size = (size_t)about.st_size;
  unsigned char *bytes = malloc(*size + 1);
  if (bytes == NULL || fread(bytes, 1, *size, file) != *size) abort();
  fclose(file);
  return bytes;
}

/* A gzip member (RFC 1952) of stored blocks (RFC 1951, 3.2.4), written by hand so that it rests on no zlib. Returns its
 * size; `member` has room for size + size / 1000 + 64 bytes. */
static inline size_t gzip_stored(const unsigned char *bytes, size_t size, unsigned char *member) {
  unsigned char *p = member;
  const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  memcpy(p, header, sizeof header);
  p += sizeof header;
  size_t done = 0;
  do {
    size_t length = size - done < 65535 ? size - done : 65535;
    *p++ = done + length == size; /* the last block */
    *p++ = (unsigned char)length, *p++ = (unsigned char)(length >> 8);
    *p++ = (unsigned char)~length, *p++ = (unsigned char)(~length >> 8);
    memcpy(p, bytes + done, length);
    p += length;
    done += length;
  } while (done < size);
  uint32_t crc = ~0u;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
  }
  crc = ~crc;
  for (int i = 0; i < 4; i++) *p++ = (unsigned char)(crc >> 8 * i);
  for (int i = 0; i < 4; i++) *p++ = (unsigned char)(size >> 8 * i);
  return (size_t)(p - member);
}

#endif
