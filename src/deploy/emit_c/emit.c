/* The C emitter: a program becomes NAME.c, NAME.h and, if asked for, NAME_test.c. Every text is made before the first
 * file is written. */
#include "emit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_MOST 48

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static const char *const keywords[] = {
    "auto",   "break",    "case",     "char",      "const",  "continue", "default", "do",      "double",
    "else",   "enum",     "extern",   "float",     "for",    "goto",     "if",      "inline",  "int",
    "long",   "register", "restrict", "return",    "short",  "signed",   "sizeof",  "static",  "struct",
    "switch", "typedef",  "union",    "unsigned",  "void",   "volatile", "while",   "asm",     "bool",
    "catch",  "class",    "delete",   "explicit",  "export", "false",    "friend",  "mutable", "namespace",
    "new",    "operator", "private",  "protected", "public", "template", "this",    "throw",   "true",
    "try",    "typename", "typeid",   "using",     "virtual"};
/* Files of these names would hide the compiler's own. */
static const char *const headers[] = {"assert",    "complex", "ctype",   "errno",  "fenv",   "inttypes", "iso646",
                                      "limits",    "locale",  "math",    "setjmp", "signal", "stdarg",   "stdalign",
                                      "stdatomic", "stdbool", "stddef",  "stdint", "stdio",  "stdlib",   "stdnoreturn",
                                      "string",    "tgmath",  "threads", "time",   "uchar",  "wchar",    "wctype"};

static bool is_among(const char *name, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(name, list[i]) == 0) return true;
  return false;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_part(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static rung_status check_name(const char *name) {
  size_t length = name ? strlen(name) : 0;
  bool good = length > 0 && length <= NAME_MOST && is_letter(name[0]);
  for (size_t i = 0; i < length && good; i++) good = is_part(name[i]);
  if (!good)
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "emit: name '%.80s', expected a C identifier that starts with a letter, of 1..%d characters",
                     name ? name : "", NAME_MOST);
  if (is_among(name, keywords, sizeof keywords / sizeof keywords[0]))
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: name '%s' is a keyword of C or C++", name);
  if (is_among(name, headers, sizeof headers / sizeof headers[0]))
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: name '%s' is that of a header of C", name);
  return RUNG_OK;
}

static bool is_taken(const emission *at, int index) {
  for (int i = 0; i < index; i++)
    if (strcmp(at->layer[i].id, at->layer[index].id) == 0) return true;
  return false;
}

/* The layer's name with '_' for what is no part of an identifier, and a number behind it where that name is taken. */
static void make_id(emission *at, int index) {
  emit_layer *layer = &at->layer[index];
  const char *name = layer->instruction->name;
  size_t length = 0;
  if (!is_letter(name[0])) layer->id[length++] = 'l';
  for (; *name && length < EMIT_ID_SIZE - 16; name++) layer->id[length++] = is_part(*name) ? *name : '_';
  for (int n = index; is_taken(at, index); n += at->count)
    snprintf(layer->id + length, EMIT_ID_SIZE - length, "_%d", n);
}

/* ---- What will be emitted --------------------------------------------------------------------------------------- */

/* Bits in which weights of `bits` are stored. */
static int width_of(int bits, bool packed) {
  if (!packed || bits > 4) return 8;
  return bits == 3 ? 4 : bits;
}

static void use_format(emission *at, emit_format format) {
  for (int i = 0; i < at->format_count; i++)
    if (at->format[i].width == format.width && at->format[i].type == format.type) return;
  at->format[at->format_count++] = format;
}

/* Sums of codes, which have no sign, are larger than those of weights; none reaches 2^31 in a layer that passes. */
static bool codes_fit(const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  const int64_t length = integers->group && integers->group < integers->in ? integers->group : integers->in;
  return length <= INT32_MAX / (UINT8_MAX << layer->format.width);
}

static rung_status describe_layer(emission *at, int index) {
  emit_layer *layer = &at->layer[index];
  layer->instruction = rung_program_instruction(at->program, index);
  layer->input = rung_program_buffer(at->program, layer->instruction->input);
  layer->output = rung_program_buffer(at->program, layer->instruction->output);
  const rung_integer_layer *integers = &layer->instruction->integers;
  layer->format = (emit_format){width_of(integers->weight_format.bits, at->options.bits_packed), integers->input_type};
  if (layer->format.width < 8 && !codes_fit(layer)) layer->format.width = 8;
  make_id(at, index);
  if (emit_unit_count(integers) > INT32_MAX / (EMIT_UNIT * EMIT_UNIT))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "emit: %s has %lld weights, more than an int counts", layer->id,
                     (long long)(integers->in * integers->out));
  use_format(at, layer->format);
  at->grouped = at->grouped || integers->group;
  at->ungrouped = at->ungrouped || !integers->group;
  at->ragged = at->ragged || integers->in % EMIT_UNIT;
  return RUNG_OK;
}

/* ---- The report ------------------------------------------------------------------------------------------------- */

/* A row of the table of layers: three pointers, six integers, and what only some programs have. */
static int64_t row_bytes(const emission *at) {
  return 36 + (at->format_count > 1 ? 4 : 0) + (at->ungrouped ? 4 : 0) + (at->grouped ? 12 : 0);
}

static int64_t constant_bytes(const emission *at, const rung_integer_layer *layer) {
  const int64_t multipliers = 4 * layer->out * layer->groups, bias = layer->out * (layer->group ? 8 : 4);
  return row_bytes(at) + multipliers + bias + layer->out;
}

/* Measured with arm-none-eabi-gcc 12 -mcpu=cortex-m4 -Os, functions one by one. */
static int64_t code_bytes(const emission *at) {
  int64_t bytes = 120 + 30 * at->count + (at->ungrouped ? 110 : 0) + (at->grouped ? 220 : 0);
  for (int i = 0; i < at->format_count; i++) {
    const int width = at->format[i].width;
    bytes += at->options.cmsis ? (width == 8 ? 140 : 180) : width == 8 ? 220 : width == 4 ? 280 : 330;
    bytes += at->ragged ? 50 : 0;
  }
  return bytes;
}

static void make_report(emission *at) {
  rung_emit_report *report = &at->report;
  for (int i = 0; i < at->count; i++) {
    report->macs += at->layer[i].instruction->macs;
    report->weight_bytes += emit_weight_bytes(&at->layer[i]);
    report->constant_bytes += constant_bytes(at, &at->layer[i].instruction->integers);
  }
  report->ram_bytes = at->scratch;
  report->code_bytes = code_bytes(at);
  report->stack_bytes = at->grouped ? 240 : 180;
}

static int64_t scratch_bytes(const rung_program *program) {
  int64_t most = 0;
  for (int i = 0; i < rung_program_buffer_count(program); i++) {
    const rung_buffer *buffer = rung_program_buffer(program, i);
    if (buffer->place == RUNG_PLACE_SCRATCH && buffer->offset + buffer->count > most)
      most = buffer->offset + buffer->count;
  }
  return most;
}

static rung_status emission_open(emission *at, const rung_program *program, const rung_emit_options *options) {
  *at = (emission){.program = program};
  if (!program) return rung_fail(RUNG_ERROR_ARGUMENT, "emit: the program is NULL");
  if (options) at->options = *options;
  if (at->options.examples && at->options.example_count < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: %lld examples, expected 1 or more",
                     (long long)at->options.example_count);
  at->count = rung_program_count(program);
  at->scratch = scratch_bytes(program);
  at->layer = rung_allocate((size_t)at->count * sizeof *at->layer);
  if (!at->layer) return RUNG_ERROR_MEMORY;
  rung_status status = RUNG_OK;
  for (int i = 0; i < at->count && status == RUNG_OK; i++) status = describe_layer(at, i);
  if (status == RUNG_OK) make_report(at);
  return status;
}

static void emission_close(emission *at) {
  rung_release(at->layer);
}

rung_status rung_emit_describe(const rung_program *program, const rung_emit_options *options,
                               rung_emit_report *report) {
  emission at;
  rung_status status = emission_open(&at, program, options);
  *report = at.report;
  emission_close(&at);
  return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

typedef enum emit_file { SOURCE, HEADER, TEST, FILES } emit_file;

static rung_status make_folder(const char *folder) {
  struct stat about;
  char *path = rung_allocate(strlen(folder) + 1);
  if (!path) return RUNG_ERROR_MEMORY;
  strcpy(path, folder);
  for (char *at = path + 1; *path && *at; at++) { /* the folders above it first */
    if (*at != '/') continue;
    *at = '\0';
    mkdir(path, 0777); /* whether it worked is seen at the last one */
    *at = '/';
  }
  int failed = mkdir(path, 0777), error = errno;
  rung_release(path);
  if (failed == 0 || (stat(folder, &about) == 0 && S_ISDIR(about.st_mode))) return RUNG_OK;
  return rung_fail(RUNG_ERROR_IO, "%s: cannot be made a folder: %s", folder, strerror(error));
}

static rung_status write_file(const emission *at, const char *folder, const char *suffix, const text *from) {
  text path = {0};
  text_print(&path, "%s/%s%s", folder, at->name, suffix);
  text_add(&path, "", 1);
  rung_status status = path.status;
  if (status == RUNG_OK) status = rung_file_write(path.bytes, from->bytes, from->length);
  text_free(&path);
  return status;
}

static rung_status write_files(const emission *at, const char *folder) {
  static const char *const suffix[FILES] = {".c", ".h", "_test.c"};
  const int files = at->options.with_test ? FILES : TEST;
  text file[FILES] = {{0}};
  emit_source(&file[SOURCE], at);
  emit_header(&file[HEADER], at);
  rung_status status = at->options.with_test ? emit_test(&file[TEST], at) : RUNG_OK;
  for (int i = 0; i < files && status == RUNG_OK; i++) status = file[i].status;
  if (status == RUNG_OK) status = make_folder(folder);
  for (int i = 0; i < files && status == RUNG_OK; i++) status = write_file(at, folder, suffix[i], &file[i]);
  for (int i = 0; i < FILES; i++) text_free(&file[i]);
  return status;
}

rung_status rung_emit_c(const rung_program *program, const char *name, const char *folder,
                        const rung_emit_options *options) {
  rung_status status = check_name(name);
  if (status != RUNG_OK) return status;
  if (!folder || !*folder) return rung_fail(RUNG_ERROR_ARGUMENT, "emit: the folder has no name");
  emission at;
  status = emission_open(&at, program, options);
  at.name = name;
  if (status == RUNG_OK) status = write_files(&at, folder);
  emission_close(&at);
  return status;
}
