#include "harness.h"
#include "peers.h"
#include "scratch.h"

#include <rung/io.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const float six[] = {1.0f, -2.0f, 0.5f, 3.14159274f, -0.0f, 1e-40f};
static const unsigned char six_bytes[] = {0,    0,    0x80, 0x3f, 0, 0, 0, 0xc0, 0,    0,    0, 0x3f,
                                          0xdb, 0x0f, 0x49, 0x40, 0, 0, 0, 0x80, 0xc2, 0x16, 1, 0};

static rung_named_tensor named(const char *name, rung_dtype type, rung_shape shape, const void *data) {
  return (rung_named_tensor){.name = name, .tensor = {.type = type, .shape = shape, .data = (void *)(uintptr_t)data}};
}

/* A file taken apart by the format's definition. */
typedef struct parsed {
  unsigned char *bytes;
  char *header; /* ends in '\0' */
  const unsigned char *data;
  size_t data_size;
} parsed;

static parsed parse(const char *path) {
  size_t size;
  parsed file = {.bytes = scratch_read(path, &size)};
  ck_assert_uint_ge(size, 8);
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | file.bytes[i];
  ck_assert_uint_le(length, size - 8);
  ck_assert_uint_eq(length % 8, 0);
  file.header = strndup((char *)file.bytes + 8, length);
  file.data = file.bytes + 8 + length;
  file.data_size = size - 8 - length;
  return file;
}

static void parsed_free(parsed *file) {
  free(file->bytes);
  free(file->header);
}

static parsed write_and_parse(const rung_named_tensor *tensors, int count) {
  const char *path = scratch_path("out/w.safetensors");
  ck_assert_msg(rung_safetensors_write(path, tensors, count) == RUNG_OK, "%s", rung_error());
  return parse(path);
}

static void expect_header(const parsed *file, const char *json) {
  size_t length = strlen(json);
  ck_assert_msg(strncmp(file->header, json, length) == 0, "%s", file->header);
  ck_assert_uint_eq(strspn(file->header + length, " "), strlen(file->header) - length);
  ck_assert_uint_lt(strlen(file->header) - length, 8);
}

static int entries(const char *path) {
  int count = -2; /* . and .. */
  DIR *folder = opendir(path);
  ck_assert_ptr_nonnull(folder);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

START_TEST(writes_the_format) {
  parsed file = write_and_parse((rung_named_tensor[]){named("fc1.weight", RUNG_F32, RUNG_SHAPE(2, 3), six)}, 1);
  expect_header(&file, "{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}");
  ck_assert_uint_eq(file.data_size, sizeof six_bytes);
  ck_assert_mem_eq(file.data, six_bytes, sizeof six_bytes);
  parsed_free(&file);
}
END_TEST

static const struct {
  rung_dtype type;
  const char *name;
} dtypes[] = {{RUNG_F32, "F32"},      {RUNG_F16, "F16"}, {RUNG_BF16, "BF16"}, {RUNG_E4M3, "F8_E4M3"},
              {RUNG_E5M2, "F8_E5M2"}, {RUNG_I32, "I32"}, {RUNG_I8, "I8"},     {RUNG_U8, "U8"}};
_Static_assert(COUNT(dtypes) == RUNG_DTYPE_COUNT, "every type");

START_TEST(writes_every_type) {
  const uint32_t words[] = {0x03020100, 0x07060504};
  const uint16_t halves[] = {0x0100, 0x0302, 0x0504, 0x0706};
  const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7}; /* what all three are, little-endian */
  size_t size = rung_dtype_size(dtypes[_i].type);
  const void *data = size == 4 ? (const void *)words : size == 2 ? (const void *)halves : (const void *)bytes;
  rung_named_tensor tensor = named("t", dtypes[_i].type, RUNG_SHAPE((int64_t)(8 / size)), data);
  parsed file = write_and_parse(&tensor, 1);
  char json[128];
  snprintf(json, sizeof json, "{\"t\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,8]}}", dtypes[_i].name,
           8 / size);
  expect_header(&file, json);
  ck_assert_uint_eq(file.data_size, 8);
  ck_assert_mem_eq(file.data, bytes, 8);
  parsed_free(&file);
}
END_TEST

START_TEST(aligns_without_holes) {
  const uint8_t bytes[] = {1, 2, 3};
  const uint16_t halves[] = {0x3c00};
  const rung_named_tensor tensors[] = {
      named("bytes", RUNG_U8, RUNG_SHAPE(3), bytes), named("half", RUNG_F16, RUNG_SHAPE(1), halves),
      named("six", RUNG_F32, RUNG_SHAPE(3, 2), six), named("more", RUNG_I8, RUNG_SHAPE(1, 2), bytes),
      named("one", RUNG_F32, RUNG_SHAPE(1), six + 3)};
  parsed file = write_and_parse(tensors, COUNT(tensors));
  expect_header(&file, "{\"six\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
                       "\"one\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[24,28]},"
                       "\"half\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[28,30]},"
                       "\"bytes\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[30,33]},"
                       "\"more\":{\"dtype\":\"I8\",\"shape\":[1,2],\"data_offsets\":[33,35]}}");
  const unsigned char rest[] = {0xdb, 0x0f, 0x49, 0x40, 0, 0x3c, 1, 2, 3, 1, 2};
  ck_assert_uint_eq(file.data_size, sizeof six_bytes + sizeof rest);
  ck_assert_mem_eq(file.data, six_bytes, sizeof six_bytes);
  ck_assert_mem_eq(file.data + sizeof six_bytes, rest, sizeof rest);
  parsed_free(&file);
}
END_TEST

START_TEST(writes_scalars_and_every_rank) {
  const rung_named_tensor tensors[] = {named("scalar", RUNG_F32, (rung_shape){0}, six),
                                       named("deep", RUNG_I8, RUNG_SHAPE(1, 1, 2, 1, 3, 1), six_bytes)};
  parsed file = write_and_parse(tensors, COUNT(tensors));
  expect_header(&file, "{\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                       "\"deep\":{\"dtype\":\"I8\",\"shape\":[1,1,2,1,3,1],\"data_offsets\":[4,10]}}");
  ck_assert_uint_eq(file.data_size, 10);
  parsed_free(&file);
}
END_TEST

START_TEST(writes_no_tensors) {
  parsed file = write_and_parse(NULL, 0);
  expect_header(&file, "{}");
  ck_assert_uint_eq(file.data_size, 0);
  parsed_free(&file);
}
END_TEST

START_TEST(pads_the_header_whatever_its_length) {
  char name[10] = "";
  for (int i = 0; i < 9; i++) { /* parse and expect_header hold the padding against the definition */
    name[i] = 'n';
    rung_named_tensor tensor = named(name, RUNG_F32, RUNG_SHAPE(6), six);
    parsed file = write_and_parse(&tensor, 1);
    char json[128];
    snprintf(json, sizeof json, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}", name);
    expect_header(&file, json);
    parsed_free(&file);
  }
}
END_TEST

/* More than any buffer between holds, and no multiple of one. */
START_TEST(writes_long_tensors) {
  enum { LENGTH = 100003 };
  int32_t *values = malloc(LENGTH * sizeof *values);
  ck_assert_ptr_nonnull(values);
  for (int i = 0; i < LENGTH; i++) values[i] = i * 21001;
  rung_named_tensor tensor = named("long", RUNG_I32, RUNG_SHAPE(LENGTH), values);
  parsed file = write_and_parse(&tensor, 1);
  ck_assert_uint_eq(file.data_size, LENGTH * sizeof *values);
  for (int i = 0; i < LENGTH; i++) {
    const unsigned char *b = file.data + 4 * i;
    ENSURE((b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24) == (uint32_t)values[i]);
  }
  parsed_free(&file);
  free(values);
}
END_TEST

/* ---- Names ------------------------------------------------------------------------------------------------------ */

START_TEST(escapes_names) {
  rung_named_tensor tensor = named("a\"b\\c\n\x01\x1f \x7f\xc3\xa9\xf0\x9f\xaa\x9c", RUNG_U8, RUNG_SHAPE(1), six);
  parsed file = write_and_parse(&tensor, 1);
  expect_header(&file, "{\"a\\\"b\\\\c\\n\\u0001\\u001f \x7f\xc3\xa9\xf0\x9f\xaa\x9c\":"
                       "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
  parsed_free(&file);
}
END_TEST

/* The first and the last sequence of each length, on both sides of the surrogates. */
static const char *const utf8[] = {"\x7f",         "\xc2\x80",         "\xdf\xbf",
                                   "\xe0\xa0\x80", "\xed\x9f\xbf",     "\xee\x80\x80",
                                   "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
/* Not first bytes; overlong; surrogates; beyond U+10FFFF; cut short by the end or by another character. */
static const char *const not_utf8[] = {"\x80",
                                       "\xbf",
                                       "\xc1\xbf",
                                       "\xe0\x9f\xbf",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xed\xa0\x80",
                                       "\xed\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "\xc3",
                                       "\xe2\x82",
                                       "\xf0\x9f\xaa",
                                       "\xc3.",
                                       "\xe2\x82\xc0",
                                       "good \xf0\x9f\xaa."};

START_TEST(takes_utf8) {
  rung_named_tensor tensor = named(utf8[_i], RUNG_U8, RUNG_SHAPE(1), six);
  parsed file = write_and_parse(&tensor, 1);
  ck_assert_int_eq(strncmp(file.header + 2, utf8[_i], strlen(utf8[_i])), 0);
  parsed_free(&file);
}
END_TEST

/* ---- Refusals: what stood there stays, and nothing else does ---------------------------------------------------- */

static void refuse(rung_status expected, const rung_named_tensor *tensors, int count, const char *what) {
  const char *path = scratch_write("refused/w.safetensors", "old", 3), *folder = scratch_path("refused");
  ck_assert_msg(rung_safetensors_write(path, tensors, count) == expected, "%s: %s", what, rung_error());
  ck_assert_msg(strncmp(rung_error(), path, strlen(path)) == 0, "names the file: %s", rung_error());
  ck_assert_msg(strstr(rung_error(), what) != NULL, "says '%s': %s", what, rung_error());
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  ck_assert(size == 3 && memcmp(bytes, "old", 3) == 0);
  free(bytes);
  ck_assert_int_eq(entries(folder), 1);
}

START_TEST(refuses_what_is_not_utf8) {
  const rung_named_tensor tensors[] = {named("good", RUNG_U8, RUNG_SHAPE(1), six),
                                       named(not_utf8[_i], RUNG_U8, RUNG_SHAPE(1), six)};
  refuse(RUNG_ERROR_ARGUMENT, tensors, 2, "the name of tensor 1 is not UTF-8");
}
END_TEST

START_TEST(refuses_names) {
  rung_named_tensor tensors[] = {named("a", RUNG_F32, RUNG_SHAPE(6), six), named("b", RUNG_F32, RUNG_SHAPE(6), six),
                                 named("a", RUNG_U8, RUNG_SHAPE(1), six)};
  refuse(RUNG_ERROR_ARGUMENT, tensors, 3, "tensors 0 and 2 are both named 'a'");
  tensors[2].name = NULL;
  refuse(RUNG_ERROR_ARGUMENT, tensors, 3, "tensor 2 has no name");
  tensors[2].name = "__metadata__";
  refuse(RUNG_ERROR_ARGUMENT, tensors, 3, "reserves");
}
END_TEST

START_TEST(refuses_tensors) {
  rung_named_tensor tensor = named("t", RUNG_F32, RUNG_SHAPE(2, 0), six);
  refuse(RUNG_ERROR_SHAPE, &tensor, 1, "tensor 't': shape [2, 0]");
  tensor.tensor.shape = RUNG_SHAPE(INT64_MAX / 2, 3);
  refuse(RUNG_ERROR_SHAPE, &tensor, 1, "overflows");
  tensor = named("t", RUNG_DTYPE_COUNT, RUNG_SHAPE(1), six);
  refuse(RUNG_ERROR_ARGUMENT, &tensor, 1, "type 8");
  tensor = named("t", RUNG_F32, RUNG_SHAPE(1), NULL);
  refuse(RUNG_ERROR_ARGUMENT, &tensor, 1, "no data");
  refuse(RUNG_ERROR_ARGUMENT, &tensor, -1, "-1 tensors");
  refuse(RUNG_ERROR_ARGUMENT, NULL, 1, "1 tensors");
  ck_assert_int_eq(rung_safetensors_write(NULL, NULL, 0), RUNG_ERROR_ARGUMENT);
}
END_TEST

START_TEST(refuses_sizes_that_add_up_to_too_much) {
  rung_named_tensor tensors[5];
  const char *const names[] = {"a", "b", "c", "d", "e"};
  for (int i = 0; i < 5; i++) tensors[i] = named(names[i], RUNG_F32, RUNG_SHAPE(INT64_MAX / 4), six);
  refuse(RUNG_ERROR_SHAPE, tensors, 5, "the size of the file overflows");
}
END_TEST

START_TEST(refuses_paths) {
  rung_named_tensor tensor = named("t", RUNG_F32, RUNG_SHAPE(6), six);
  const char *folder = scratch_path("paths/"), *fifo = scratch_path("paths/fifo");
  ck_assert_int_eq(mkfifo(fifo, 0600), 0);
  ck_assert_int_eq(rung_safetensors_write(scratch_path("paths"), &tensor, 1), RUNG_ERROR_IO);
  ck_assert_int_eq(rung_safetensors_write("", &tensor, 1), RUNG_ERROR_IO);
  ck_assert_int_eq(rung_safetensors_write(fifo, &tensor, 1), RUNG_ERROR_IO);
  ck_assert_ptr_nonnull(strstr(rung_error(), "not a regular file"));
  ck_assert_int_eq(entries(folder), 1);
  char missing[1100];
  snprintf(missing, sizeof missing, "%smissing/w.safetensors", folder);
  ck_assert_int_eq(rung_safetensors_write(missing, &tensor, 1), RUNG_ERROR_IO);
  ck_assert_msg(strncmp(rung_error(), missing, strlen(missing)) == 0, "%s", rung_error());
  ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* A disk that is full after so many bytes: at once, within the header, within the elements, near the end. */
static const rlim_t limits[] = {0, 20, 70000, 400050};

START_TEST(leaves_nothing_when_the_disk_is_full) {
  static const int32_t values[100003];
  rung_named_tensor tensor = named("long", RUNG_I32, RUNG_SHAPE(COUNT(values)), values);
  struct rlimit before, full;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  const char *folder = scratch_path("full/"), *path = scratch_path("full/w.safetensors");
  signal(SIGXFSZ, SIG_IGN);
  full = before;
  full.rlim_cur = limits[_i];
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
  rung_status status = rung_safetensors_write(path, &tensor, 1);
  setrlimit(RLIMIT_FSIZE, &before);
  ck_assert_int_eq(status, RUNG_ERROR_IO);
  ck_assert_msg(strncmp(rung_error(), path, strlen(path)) == 0, "%s", rung_error());
  ck_assert_int_eq(entries(folder), 0);
  ck_assert_int_eq(rung_safetensors_write(path, &tensor, 1), RUNG_OK); /* it was the limit */
  ck_assert_int_eq(remove(path), 0);
}
END_TEST

/* Stands before libc's: what was flushed to the disk, and a disk that cannot. */
static bool disk_broken;
static off_t flushed;

int fsync(int descriptor) {
  struct stat about;
  if (fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode)) flushed = about.st_size;
  errno = EIO;
  return disk_broken ? -1 : (int)syscall(SYS_fsync, descriptor);
}

START_TEST(flushes_to_the_disk) {
  rung_named_tensor tensor = named("t", RUNG_F32, RUNG_SHAPE(6), six);
  const char *folder = scratch_path("flush/"), *path = scratch_path("flush/w.safetensors");
  disk_broken = true;
  ck_assert_int_eq(rung_safetensors_write(path, &tensor, 1), RUNG_ERROR_IO);
  disk_broken = false;
  ck_assert_msg(strstr(rung_error(), strerror(EIO)) != NULL, "%s", rung_error());
  ck_assert_int_eq(entries(folder), 0);
  flushed = 0;
  ck_assert_int_eq(rung_safetensors_write(path, &tensor, 1), RUNG_OK);
  struct stat about;
  ck_assert_int_eq(stat(path, &about), 0);
  ck_assert_int_eq(flushed, about.st_size);
}
END_TEST

/* ---- The place -------------------------------------------------------------------------------------------------- */

START_TEST(replaces_a_file_with_the_usual_mode) {
  rung_named_tensor tensor = named("t", RUNG_F32, RUNG_SHAPE(6), six);
  const char *path = scratch_write("mode/w.safetensors", "old", 3);
  mode_t before = umask(027);
  rung_status status = rung_safetensors_write(path, &tensor, 1);
  umask(before);
  ck_assert_int_eq(status, RUNG_OK);
  struct stat about;
  ck_assert_int_eq(stat(path, &about), 0);
  ck_assert_int_eq((int)(about.st_mode & 0777), 0640);
  parsed file = parse(path);
  ck_assert_uint_eq(file.data_size, sizeof six);
  parsed_free(&file);
  ck_assert_int_eq(entries(scratch_path("mode")), 1);
}
END_TEST

START_TEST(writes_to_the_working_folder) {
  rung_named_tensor tensor = named("t", RUNG_F32, RUNG_SHAPE(6), six);
  const char *folder = scratch_path("here/");
  char before[4096];
  ck_assert_ptr_nonnull(getcwd(before, sizeof before));
  ck_assert_int_eq(chdir(folder), 0);
  rung_status status = rung_safetensors_write("w.safetensors", &tensor, 1);
  ck_assert_int_eq(chdir(before), 0);
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(access(scratch_path("here/w.safetensors"), F_OK), 0);
}
END_TEST

/* ---- The format's own reader ------------------------------------------------------------------------------------ */

#define PYTHON_READER                                                                                                  \
  "import sys; from safetensors import deserialize\n"                                                                  \
  "for name, t in sorted(deserialize(open(sys.argv[1], 'rb').read())):\n"                                              \
  "  print(ascii(name), t['dtype'], t['shape'], bytes(t['data']).hex())"

START_TEST(is_read_by_the_reference_reader) {
  const char *python = peers_python("safetensors");
  const rung_named_tensor tensors[] = {named("a\"\\\n\xc3\xa9", RUNG_U8, RUNG_SHAPE(1, 3), six_bytes + 12),
                                       named("b", RUNG_F32, RUNG_SHAPE(3, 2), six),
                                       named("c", RUNG_BF16, (rung_shape){0}, &(uint16_t){0x3f80}),
                                       named("d", RUNG_E4M3, RUNG_SHAPE(1), "8"),
                                       named("e", RUNG_E5M2, RUNG_SHAPE(1), "9"),
                                       named("f", RUNG_I8, RUNG_SHAPE(1), "\xff"),
                                       named("g", RUNG_F16, RUNG_SHAPE(1), &(uint16_t){0x3c00}),
                                       named("h", RUNG_I32, RUNG_SHAPE(1), &(int32_t){-2})};
  const char *path = scratch_path("peer/w.safetensors");
  ck_assert_int_eq(rung_safetensors_write(path, tensors, COUNT(tensors)), RUNG_OK);
  const char *output = peers_run(python, PYTHON_READER, path);
  ck_assert_str_eq(output, "'a\"\\\\\\n\\xe9' U8 [1, 3] db0f49\n"
                           "'b' F32 [3, 2] 0000803f000000c00000003fdb0f494000000080c2160100\n"
                           "'c' BF16 [] 803f\n'd' F8_E4M3 [1] 38\n'e' F8_E5M2 [1] 39\n'f' I8 [1] ff\n"
                           "'g' F16 [1] 003c\n'h' I32 [1] feffffff\n");
}
END_TEST

TEST_MAIN(CASE(writes_the_format), CASES(writes_every_type, COUNT(dtypes)), CASE(aligns_without_holes),
          CASE(writes_scalars_and_every_rank), CASE(writes_no_tensors), CASE(pads_the_header_whatever_its_length),
          CASE(writes_long_tensors), CASE(escapes_names), CASES(takes_utf8, COUNT(utf8)),
          CASES(refuses_what_is_not_utf8, COUNT(not_utf8)), CASE(refuses_names), CASE(refuses_tensors),
          CASE(refuses_sizes_that_add_up_to_too_much), CASE(refuses_paths),
          CASES(leaves_nothing_when_the_disk_is_full, COUNT(limits)), CASE(flushes_to_the_disk),
          CASE(replaces_a_file_with_the_usual_mode), CASE(writes_to_the_working_folder),
          CASE(is_read_by_the_reference_reader))
