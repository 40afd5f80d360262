/* The C emitter: a program becomes NAME.c, NAME.h and, if asked for, NAME_test.c. Every text is made before the first
 * file is written. */
#include "emit.h"

#include "../program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- What will be emitted --------------------------------------------------------------------------------------- */

static void use_format(emission *at, emit_format format) {
  for (int i = 0; i < at->format_count; i++)
    if (at->format[i].form == format.form && at->format[i].type == format.type) return;
  at->format[at->format_count++] = format;
}

/* Where all inputs are one group, few outputs need no scaling. */
static int steps_of(const rung_instruction *instruction) {
  const rung_integer_layer *layer = &instruction->integers;
  if (!layer->group || layer->groups > 1 || layer->output_type != RUNG_I8 || instruction->bound == INT32_MAX) return 0;
  if (layer->binary) return 1;
  return layer->qmin == -1 && layer->qmax == 1 && layer->output_zero_point == 0 ? 2 : 0;
}

static rung_status describe_layer(emission *at, int index) {
  emit_layer *layer = &at->layer[index];
  layer->instruction = rung_program_instruction(at->program, index);
  layer->input = &at->buffer[layer->instruction->input];
  layer->output = &at->buffer[layer->instruction->output];
  const rung_integer_layer *integers = &layer->instruction->integers;
  const emit_form *form = emit_form_of(integers, at->options.bits_packed);
  layer->format = (emit_format){form, form->planes ? RUNG_U8 : integers->input_type};
  layer->steps = steps_of(layer->instruction);
  emit_make_id(at, index);
  if (emit_unit_count(layer) > INT32_MAX / (EMIT_CHANNELS * form->inputs))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "emit: %s has %lld weights, more than an int counts", layer->id,
                     (long long)(integers->in * integers->out));
  use_format(at, layer->format);
  at->steps = at->steps || layer->steps;
  at->grouped = at->grouped || (integers->group && !layer->steps);
  at->ungrouped = at->ungrouped || !integers->group;
  at->binary = at->binary || (integers->binary && !layer->steps);
  at->ragged = at->ragged || (!form->planes && integers->in % form->inputs);
  return RUNG_OK;
}

/* Up to the last byte of the last buffer. */
static int64_t scratch_bytes(const emission *at) {
  int64_t most = 0;
  for (int i = 0; i <= at->count; i++) {
    const rung_buffer *buffer = &at->buffer[i];
    if (buffer->place == RUNG_PLACE_SCRATCH && buffer->offset + buffer->count > most)
      most = buffer->offset + buffer->count;
  }
  return most;
}

/* What a layer reads as planes is written as such, in scratch, and then everything is placed anew. */
static rung_status place_buffers(emission *at) {
  for (int i = 0; i < at->count; i++) {
    const emit_form *form = at->layer[i].format.form;
    rung_buffer *input = &at->buffer[at->layer[i].instruction->input];
    if (!form->planes) continue;
    at->words = true;
    input->place = RUNG_PLACE_SCRATCH;
    input->count = (input->count + 31) / 32 * 4 * form->planes;
    if (i == 0) continue;
    at->layer[i - 1].planes = form->planes;
    at->packed = true;
  }
  int64_t bytes = 0;
  rung_status status = program_place(at->buffer, at->count + 1, &bytes);
  at->scratch = at->words ? bytes : scratch_bytes(at);
  return status;
}

/* ---- The report ------------------------------------------------------------------------------------------------- */

/* A row of the table of layers: three pointers, six integers, and what only some programs have. */
static int64_t row_bytes(const emission *at) {
  return 36 + (at->format_count > 1 ? 4 : 0) + (at->ungrouped ? 4 : 0) + (at->grouped ? 12 : 0) + (at->steps ? 8 : 0) +
         (at->binary ? 4 : 0) + (at->packed ? 4 : 0);
}

static int64_t constant_bytes(const emission *at, const emit_layer *described) {
  const rung_integer_layer *layer = &described->instruction->integers;
  if (described->steps) return row_bytes(at) + 4 * layer->out * described->steps;
  const int64_t multipliers = 4 * layer->out * layer->groups, bias = layer->out * (layer->group ? 8 : 4);
  return row_bytes(at) + multipliers + bias + layer->out;
}

/* One dot function, by width and form. */
static int64_t dot_bytes(const emission *at, const emit_form *form) {
  if (form->planes) return form->planes == 1 && form->width == 1 ? 130 : 170;
  if (at->options.cmsis) return form->width == 8 ? 120 : 150;
  return form->width == 8 ? 215 : 250;
}

/* Fitted to what arm-none-eabi-gcc 12 -mcpu=cortex-m4 -Os makes of all kinds of programs: mostly within 60 bytes of it,
 * and within 180 where there are planes, as one function is then sometimes inlined and sometimes not. */
static int64_t code_bytes(const emission *at) {
  int64_t bytes = 115 + 14 * at->count + (at->ungrouped ? 140 : 0) + (at->grouped ? 280 : 0) + (at->binary ? 20 : 0) +
                  (at->steps && !at->grouped ? 100 : 0) + (at->words ? 100 : 0) +
                  (rung_program_input_table(at->program) ? 30 : 0);
  for (int i = 0; i < at->format_count; i++) bytes += dot_bytes(at, at->format[i].form) + (at->ragged ? 25 : 0);
  return bytes;
}

/* Likewise: the frames of NAME_run, linear and dot. */
static int64_t stack_bytes(const emission *at) {
  return (at->grouped ? 152 : 104) + (at->format_count > 1 || at->words ? 40 : 0);
}

static void make_report(emission *at) {
  rung_emit_report *report = &at->report;
  for (int i = 0; i < at->count; i++) {
    report->macs += at->layer[i].instruction->macs;
    report->weight_bytes += emit_weight_bytes(&at->layer[i]);
    report->constant_bytes += constant_bytes(at, &at->layer[i]);
  }
  if (rung_program_input_table(at->program)) report->constant_bytes += 256;
  report->ram_bytes = at->scratch;
  report->code_bytes = code_bytes(at);
  report->stack_bytes = stack_bytes(at);
}

/* The caller's input is buffer 0, or the integers that a table makes it of. */
static rung_buffer input_of(const rung_program *program) {
  const rung_input_table *table = rung_program_input_table(program);
  rung_buffer input = *rung_program_buffer(program, 0);
  if (!table) return input;
  input.place = RUNG_PLACE_INPUT;
  input.binary = false;
  input.type = table->type;
  input.scale = table->scale;
  input.zero_point = table->zero_point;
  input.qmin = table->type == RUNG_I8 ? INT8_MIN : 0;
  input.qmax = table->type == RUNG_I8 ? INT8_MAX : UINT8_MAX;
  return input;
}

static rung_status emission_open(emission *at, const rung_program *program, const rung_emit_options *options) {
  *at = (emission){.program = program};
  if (!program) return rung_fail(RUNG_ERROR_ARGUMENT, "emit: the program is NULL");
  if (options) at->options = *options;
  if (at->options.examples && at->options.example_count < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "emit: %lld examples, expected 1 or more",
                     (long long)at->options.example_count);
  at->count = rung_program_count(program);
  at->input = input_of(program);
  at->layer = rung_allocate((size_t)at->count * sizeof *at->layer);
  at->buffer = rung_allocate((size_t)(at->count + 1) * sizeof *at->buffer);
  if (!at->layer || !at->buffer) return RUNG_ERROR_MEMORY;
  for (int i = 0; i <= at->count; i++) at->buffer[i] = *rung_program_buffer(program, i);
  rung_status status = RUNG_OK;
  for (int i = 0; i < at->count && status == RUNG_OK; i++) status = describe_layer(at, i);
  if (status == RUNG_OK) status = place_buffers(at);
  if (status == RUNG_OK) make_report(at);
  return status;
}

static void emission_close(emission *at) {
  rung_release(at->layer);
  rung_release(at->buffer);
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

/* `template` with the program's name in it. */
static rung_status name_file(text *to, text *template, const emission *at) {
  text_add(template, "", 1);
  if (template->status == RUNG_OK) text_fill(to, template->bytes, at->name);
  return template->status == RUNG_OK ? to->status : template->status;
}

static rung_status write_files(const emission *at, const char *folder) {
  static const char *const suffix[FILES] = {".c", ".h", "_test.c"};
  const int files = at->options.with_test ? FILES : TEST;
  text template[FILES] = {{0}}, file[FILES] = {{0}};
  emit_source(&template[SOURCE], at);
  emit_header(&template[HEADER], at);
  rung_status status = at->options.with_test ? emit_test(&template[TEST], at) : RUNG_OK;
  for (int i = 0; i < files && status == RUNG_OK; i++) status = name_file(&file[i], &template[i], at);
  if (status == RUNG_OK) status = make_folder(folder);
  for (int i = 0; i < files && status == RUNG_OK; i++) status = write_file(at, folder, suffix[i], &file[i]);
  for (int i = 0; i < FILES; i++) {
    text_free(&template[i]);
    text_free(&file[i]);
  }
  return status;
}

rung_status rung_emit_c(const rung_program *program, const char *name, const char *folder,
                        const rung_emit_options *options) {
  rung_status status = emit_check_name(name);
  if (status != RUNG_OK) return status;
  if (!folder || !*folder) return rung_fail(RUNG_ERROR_ARGUMENT, "emit: the folder has no name");
  emission at;
  status = emission_open(&at, program, options);
  at.name = name;
  if (status == RUNG_OK) status = write_files(&at, folder);
  emission_close(&at);
  return status;
}
