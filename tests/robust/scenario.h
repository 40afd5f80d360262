/* One thing that Rung does, done with each of its allocations failing once. */
#ifndef TESTS_SCENARIO_H
#define TESTS_SCENARIO_H

#include "failing.h"
#include "harness.h"
#include "io/scratch.h"

#include <rung/rung.h>

typedef struct scenario {
  const char *name;
  void *(*prepare)(int variant, int threads); /* what the attempt works on; never NULL. May itself be NULL */
  /* The allocations of this fail. Frees what it made; *result is a hash of that. */
  rung_status (*attempt)(void *state, uint64_t *result);
  void (*finish)(void *state); /* may be NULL */
  bool gets_on;                /* an attempt that fails may have got somewhere: the next one gives another result */
} scenario;

#define SCENARIO_HASH UINT64_C(14695981039346656037)

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
  return hash;
}

static inline uint64_t hash_tensor(uint64_t hash, const rung_tensor *tensor) {
  if (tensor->data == NULL) return hash;
  return hash_bytes(hash, tensor->data, (size_t)rung_tensor_count(tensor) * rung_dtype_size(tensor->type));
}

/* The file that scenarios write, and the folder it is alone in. */
#define SCENARIO_FOLDER "output"
#define SCENARIO_FILE   "output/file"

/* Hashes of the files in the folder that scenarios write to, names and bytes, in order. */
typedef struct output {
  int count, temporary;
  uint64_t file[8];
} output;

static inline int compare_hashes(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static inline output output_files(void) {
  output made = {0};
  DIR *folder = opendir(scratch_path(SCENARIO_FOLDER "/"));
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char name[512];
    size_t size;
    snprintf(name, sizeof name, SCENARIO_FOLDER "/%s", entry->d_name);
    unsigned char *bytes = scratch_read(scratch_path(name), &size);
    uint64_t hash = hash_bytes(hash_bytes(SCENARIO_HASH, entry->d_name, strlen(entry->d_name)), bytes, size);
    made.temporary += strstr(entry->d_name, ".tmp") != NULL;
    ENSURE(made.count < 8);
    made.file[made.count++] = hash;
    free(bytes);
  }
  if (folder != NULL) closedir(folder);
  qsort(made.file, (size_t)made.count, sizeof made.file[0], compare_hashes);
  return made;
}

/* Whether each of the files is one of `whole`, of the same name and bytes. */
static inline bool output_is_part_of(const output *files, const output *whole) {
  for (int i = 0; i < files->count; i++) {
    bool found = false;
    for (int j = 0; j < whole->count; j++) found |= files->file[i] == whole->file[j];
    if (!found) return false;
  }
  return true;
}

static inline void output_clear(void) {
  DIR *folder = opendir(scratch_path(SCENARIO_FOLDER "/"));
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    char name[512];
    snprintf(name, sizeof name, SCENARIO_FOLDER "/%s", entry->d_name);
    if (entry->d_name[0] != '.') remove(scratch_path(name));
  }
  if (folder != NULL) closedir(folder);
}

typedef struct run {
  rung_status status, error; /* what was returned, and rung_error_status() then */
  char message[256];
  uint64_t result; /* a hash */
  output files;
  long allocations;
} run;

static inline run attempt(const scenario *s, void *state, long index) {
  run made = {.result = SCENARIO_HASH};
  failing_begin(index);
  made.status = s->attempt(state, &made.result);
  made.allocations = failing_end();
  made.error = rung_error_status();
  snprintf(made.message, sizeof made.message, "%s", rung_error());
  made.files = output_files();
  return made;
}

typedef struct attempts {
  run first, last;
  long lost; /* blocks */
} attempts;

/* A first attempt whose allocation `index` fails and, if that failed, a second one on the same state. Asserts nothing:
 * check allocates when it does. */
static inline attempts attempt_twice(const scenario *s, int variant, int threads, long index) {
  attempts made;
  output_clear();
  long before = failing_alive();
  void *state = s->prepare != NULL ? s->prepare(variant, threads) : NULL;
  made.first = made.last = attempt(s, state, index);
  if (made.first.status != RUNG_OK) made.last = attempt(s, state, 0);
  if (s->finish != NULL) s->finish(state);
  made.lost = failing_alive() - before;
  return made;
}

/* A failure says so, leaves nothing, and all is then as if it had not been. */
static inline void check_attempts(const scenario *s, long index, const attempts *made, const run *clean) {
  const char *name = s->name;
  const run *first = &made->first, *last = &made->last;
  bool failed = first->status != RUNG_OK;
  ck_assert_msg(first->files.temporary == 0 && (s->gets_on || output_is_part_of(&first->files, &clean->files)),
                "%s: allocation %ld failed (%s), and a file is left", name, index,
                failed ? first->message : "done without");
  ck_assert_msg(!failed || (first->error == first->status && first->message[0] != '\0' &&
                            (first->status == RUNG_ERROR_MEMORY || first->status == RUNG_ERROR_IO)),
                "%s: allocation %ld failed: status %d, of the message %d: '%s'", name, index, (int)first->status,
                (int)first->error, first->message);
  ck_assert_msg(last->status == RUNG_OK, "%s: after the failure of %ld: %s", name, index, last->message);
  ck_assert_msg(s->gets_on || (last->result == clean->result && last->files.count == clean->files.count &&
                               output_is_part_of(&last->files, &clean->files)),
                "%s: after the failure of %ld ('%s') the result is another", name, index,
                failed ? first->message : "done without");
  ck_assert_msg(made->lost == 0, "%s: allocation %ld failed (%s), and %ld blocks are lost", name, index,
                failed ? first->message : "done without", made->lost);
}

static inline void fail_each_allocation(const scenario *s, int variant, int threads) {
  (void)attempt_twice(s, variant, threads, 0); /* what is made once in a process is made */
  run clean = attempt_twice(s, variant, threads, 0).first;
  ck_assert_msg(clean.status == RUNG_OK, "%s: %s", s->name, clean.message);
  long refused = 0;
  for (long index = 1; index <= clean.allocations; index++) {
    attempts made = attempt_twice(s, variant, threads, index);
    check_attempts(s, index, &made, &clean);
    refused += made.first.status != RUNG_OK;
  }
  printf("%s %d, %d thread%s: %ld allocations, %ld refused, %ld done without\n", s->name, variant, threads,
         threads > 1 ? "s" : "", clean.allocations, refused, clean.allocations - refused);
  ck_assert_int_gt(refused, 0);
}

#endif
