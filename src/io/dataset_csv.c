/* A dataset from CSV: once over the text to count and check, then once more to read it. */
#include "c_locale.h"
#include "csv.h"
#include "dataset.h"
#include "stream.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INPUT (-1) /* the role of a column; from 0 on: the label or that target */

typedef struct csv_reader {
  const rung_csv_options *options;
  rung_csv csv;
  bool has_header;
  int64_t rows, columns;
  int32_t *roles;        /* [columns] */
  int32_t outputs;       /* columns that are no inputs */
  rung_csv_field *names; /* [rows], the labels as they are written, until they are numbered; or NULL */
  rung_dataset_storage *storage;
} csv_reader;

/* ---- First pass: how many ---------------------------------------------------------------------------------------- */

/* "nan" and "inf" are no numbers, but no names of columns either: such a line is not passed by as a header. */
static bool is_meant_as_number(const rung_csv_field *field) {
  const char *at = field->begin + (field->begin < field->end && strchr("+-", *field->begin) != NULL);
  return rung_csv_is_number(field) ||
         (field->end - at == 3 && (strncasecmp(at, "nan", 3) == 0 || strncasecmp(at, "inf", 3) == 0));
}

/* Passes one record. *numbers: how many of its fields are meant as one. */
static rung_status count_fields(rung_csv *csv, int64_t *fields, int64_t *numbers) {
  rung_csv_field field;
  *fields = *numbers = 0;
  do {
    rung_status status = rung_csv_next_field(csv, &field);
    if (status != RUNG_OK) return status;
    *numbers += is_meant_as_number(&field);
    ++*fields;
  } while (!field.last);
  return RUNG_OK;
}

/* Every record has as many fields as the first, so that rows times columns is no more than the file is long. */
static rung_status measure(csv_reader *reader) {
  rung_csv csv = reader->csv;
  int64_t first_line = csv.line, records = 0;
  while (rung_csv_next_record(&csv)) {
    int64_t line = csv.line, fields, numbers;
    rung_status status = count_fields(&csv, &fields, &numbers);
    if (status != RUNG_OK) return status;
    if (records++ == 0) {
      reader->columns = fields;
      reader->has_header = reader->options->header == RUNG_CSV_HEADER_YES ||
                           (reader->options->header == RUNG_CSV_HEADER_DETECT && numbers == 0);
    } else if (fields != reader->columns) {
      return rung_fail(RUNG_ERROR_FORMAT,
                       "%s: line %" PRId64 " has %" PRId64 " fields, expected %" PRId64 " as in line %" PRId64,
                       csv.path, line, fields, reader->columns, first_line);
    }
  }
  reader->rows = records - reader->has_header;
  if (reader->rows < 1) return rung_fail(RUNG_ERROR_FORMAT, "%s: holds no examples", csv.path);
  return RUNG_OK;
}

/* ---- Which columns are what ---------------------------------------------------------------------------------------
 */

static rung_status set_role(csv_reader *reader, int64_t column) {
  if (reader->roles[column] != INPUT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: column %" PRId64 " is asked for twice", reader->csv.path, column + 1);
  reader->roles[column] = reader->outputs++;
  return RUNG_OK;
}

/* "first", "last", "first 3", "last 3": the number, 1 where none is given; 0 where it is not `word`, or no number. */
static int64_t parse_side(const char *text, const char *word) {
  size_t length = strlen(word);
  if (strncmp(text, word, length) != 0) return 0;
  if (text[length] == '\0') return 1;
  char *end;
  long long count = text[length] == ' ' ? strtoll(text + length, &end, 10) : 0;
  return count >= 1 && *end == '\0' ? count : 0;
}

/* The column that the header calls by `name`; -1 if there is none. */
static int64_t find_name(const csv_reader *reader, const char *name, size_t length) {
  rung_csv csv = reader->csv;
  if (!reader->has_header) return -1;
  for (int64_t column = 0; column < reader->columns; column++) {
    rung_csv_field field;
    if (rung_csv_next_field(&csv, &field) == RUNG_OK && rung_csv_equal(&field, name, length)) return column;
  }
  return -1;
}

static rung_status choose_side(csv_reader *reader, const char *text) {
  int64_t first = parse_side(text, "first"), last = parse_side(text, "last"), count = first + last;
  if (count == 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: no column '%s': expected %sfirst or last", reader->csv.path, text,
                     reader->has_header ? "a name in the header, " : "(there is no header) ");
  if (count >= reader->columns)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: %" PRId64 " columns, expected at least %" PRId64 ": '%s' and one input",
                     reader->csv.path, reader->columns, count < INT64_MAX ? count + 1 : count, text);
  rung_status status = RUNG_OK;
  for (int64_t i = 0; i < count && status == RUNG_OK; i++)
    status = set_role(reader, first > 0 ? i : reader->columns - count + i);
  return status;
}

/* `list`: names in the header, separated by commas; as a whole one name, or a side. */
static rung_status choose_columns(csv_reader *reader, const char *list, bool many) {
  int64_t column = find_name(reader, list, strlen(list));
  if (column >= 0) return set_role(reader, column);
  if (!many || strchr(list, ',') == NULL) return choose_side(reader, list);
  rung_status status = RUNG_OK;
  for (const char *name = list; name != NULL && status == RUNG_OK;) {
    const char *comma = strchr(name, ',');
    while (*name == ' ') name++;
    size_t length = comma != NULL ? (size_t)(comma - name) : strlen(name);
    while (length > 0 && name[length - 1] == ' ') length--;
    column = find_name(reader, name, length);
    if (column < 0)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: no column '%.*s' in the header", reader->csv.path, (int)length, name);
    status = set_role(reader, column);
    name = comma != NULL ? comma + 1 : NULL;
  }
  return status;
}

static rung_status choose_roles(csv_reader *reader) {
  const rung_csv_options *options = reader->options;
  reader->roles = rung_allocate((size_t)reader->columns * sizeof *reader->roles);
  if (reader->roles == NULL) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < reader->columns; i++) reader->roles[i] = INPUT;
  const char *label = options->label != NULL ? options->label : "last";
  rung_status status =
      options->targets != NULL ? choose_columns(reader, options->targets, true) : choose_columns(reader, label, false);
  if (status == RUNG_OK && reader->outputs == reader->columns)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: no column is left for the inputs", reader->csv.path);
  return status;
}

/* ---- Second pass: the values --------------------------------------------------------------------------------------
 */

static rung_status allocate_tensor(rung_tensor *tensor, rung_dtype type, int64_t rows, int64_t columns) {
  *tensor = (rung_tensor){.type = type, .shape = RUNG_SHAPE(rows, columns)};
  tensor->data = rung_allocate((size_t)rows * (size_t)columns * rung_dtype_size(type));
  return tensor->data != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status allocate_storage(csv_reader *reader) {
  const rung_csv_options *options = reader->options;
  rung_dataset_storage *storage = reader->storage;
  rung_status status = allocate_tensor(&storage->inputs, options->pixels ? RUNG_U8 : RUNG_F32, reader->rows,
                                       reader->columns - reader->outputs);
  if (options->pixels) storage->inputs.scale = 1.0f / 255.0f;
  if (status != RUNG_OK || options->targets != NULL)
    return status != RUNG_OK ? status : allocate_tensor(&storage->targets, RUNG_F32, reader->rows, reader->outputs);
  storage->labels = rung_allocate((size_t)reader->rows * sizeof *storage->labels);
  return storage->labels != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status read_number(const csv_reader *reader, const rung_csv_field *field, float *value) {
  if (!rung_csv_is_number(field)) return rung_csv_refuse(&reader->csv, field, "a number");
  *value = rung_csv_number(field);
  return isfinite(*value) ? RUNG_OK : rung_csv_refuse(&reader->csv, field, "a number that fits an f32");
}

static rung_status read_input(const csv_reader *reader, const rung_csv_field *field, int64_t index) {
  const rung_tensor *inputs = &reader->storage->inputs;
  if (inputs->type == RUNG_F32) return read_number(reader, field, (float *)inputs->data + index);
  float value = -1.0f;
  if (rung_csv_is_number(field)) value = rung_csv_number(field);
  if (!(value >= 0.0f && value <= 255.0f) || value != floorf(value))
    return rung_csv_refuse(&reader->csv, field, "a pixel: an integer in 0..255");
  ((uint8_t *)inputs->data)[index] = (uint8_t)value;
  return RUNG_OK;
}

/* A label is a number or a name, as the first one is. An f32 holds integers up to 2^24. */
static rung_status read_label(csv_reader *reader, const rung_csv_field *field, int64_t row) {
  bool number = rung_csv_is_number(field);
  if (row == 0 && !number) {
    reader->names = rung_allocate((size_t)reader->rows * sizeof *reader->names);
    if (reader->names == NULL) return RUNG_ERROR_MEMORY;
  }
  if (number != (reader->names == NULL))
    return rung_csv_refuse(&reader->csv, field,
                           number ? "a class's name, as the first label is"
                                  : "a class's number, as the first label is");
  if (!number) {
    if (field->begin == field->end) return rung_csv_refuse(&reader->csv, field, "a class's name");
    reader->names[row] = *field;
    return RUNG_OK;
  }
  float value = rung_csv_number(field);
  if (!(value >= 0.0f && value < 0x1p24f) || value != floorf(value))
    return rung_csv_refuse(&reader->csv, field, "a class: an integer from 0 on");
  reader->storage->labels[row] = (int32_t)value;
  const rung_dataset *like = reader->options->like;
  if (like != NULL && (like->class_names != NULL || value >= (float)like->classes))
    return rung_csv_refuse(&reader->csv, field, "a class of the set it shall be like");
  return RUNG_OK;
}

static rung_status read_row(csv_reader *reader, int64_t row) {
  int64_t input = row * (reader->columns - reader->outputs);
  for (int64_t column = 0; column < reader->columns; column++) {
    rung_csv_field field;
    rung_status status = rung_csv_next_field(&reader->csv, &field);
    int32_t role = reader->roles[column];
    if (status == RUNG_OK && role == INPUT)
      status = read_input(reader, &field, input++);
    else if (status == RUNG_OK && reader->storage->labels != NULL)
      status = read_label(reader, &field, row);
    else if (status == RUNG_OK)
      status = read_number(reader, &field, (float *)reader->storage->targets.data + row * reader->outputs + role);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

static rung_status read_rows(csv_reader *reader) {
  rung_status status = RUNG_OK;
  if (reader->has_header && rung_csv_next_record(&reader->csv)) {
    int64_t fields, numbers;
    status = count_fields(&reader->csv, &fields, &numbers);
  }
  for (int64_t row = 0; row < reader->rows && status == RUNG_OK; row++) {
    rung_csv_next_record(&reader->csv);
    status = read_row(reader, row);
  }
  return status;
}

/* ---- Names become numbers -----------------------------------------------------------------------------------------
 */

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All labels' names, unquoted, in one block: the pointers [rows], then the text. */
static const char **unquote(const csv_reader *reader) {
  size_t text = 0, table = (size_t)reader->rows * sizeof(char *);
  for (int64_t i = 0; i < reader->rows; i++) text += (size_t)(reader->names[i].end - reader->names[i].begin) + 1;
  const char **names = rung_allocate(table + text);
  if (names == NULL) return NULL;
  char *next = (char *)names + table;
  for (int64_t i = 0; i < reader->rows; i++) {
    rung_csv_copy(&reader->names[i], next);
    names[i] = next;
    next += strlen(next) + 1;
  }
  return names;
}

/* Sorts names and drops those that are there already; how many are left. */
static int64_t sort_unique(const char **names, int64_t count) {
  qsort(names, (size_t)count, sizeof *names, compare_names);
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) names[kept++] = names[i];
  return kept;
}

/* A block of the names: the pointers, then the text. */
static const char **copy_names(const char *const *names, int64_t count) {
  size_t text = 0, table = (size_t)count * sizeof(char *);
  for (int64_t i = 0; i < count; i++) text += strlen(names[i]) + 1;
  const char **copy = rung_allocate(table + text);
  if (copy == NULL) return NULL;
  char *next = (char *)copy + table;
  for (int64_t i = 0; i < count; i++) {
    copy[i] = strcpy(next, names[i]);
    next += strlen(next) + 1;
  }
  return copy;
}

/* The classes in order, those of `like` or all that occur, in the storage. */
static rung_status collect_classes(csv_reader *reader, const char *const *names, int32_t *classes) {
  const rung_dataset *like = reader->options->like;
  rung_dataset_storage *storage = reader->storage;
  if (like != NULL) {
    *classes = like->classes;
    if (like->class_names == NULL) return rung_csv_refuse(&reader->csv, &reader->names[0], "a class's number");
    storage->class_names = copy_names(like->class_names, like->classes);
    return storage->class_names != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
  }
  const char **sorted = rung_allocate((size_t)reader->rows * sizeof *sorted);
  if (sorted == NULL) return RUNG_ERROR_MEMORY;
  memcpy(sorted, names, (size_t)reader->rows * sizeof *sorted);
  int64_t count = sort_unique(sorted, reader->rows);
  if (count <= INT32_MAX) storage->class_names = copy_names(sorted, count);
  *classes = (int32_t)count;
  rung_release(sorted);
  return storage->class_names != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* Labels from names. *classes stays 0 where there are none. */
static rung_status number_names(csv_reader *reader, int32_t *classes) {
  if (reader->names == NULL) return RUNG_OK;
  const char **names = unquote(reader);
  if (names == NULL) return RUNG_ERROR_MEMORY;
  rung_dataset_storage *storage = reader->storage;
  rung_status status = collect_classes(reader, names, classes);
  for (int64_t i = 0; i < reader->rows && status == RUNG_OK; i++) {
    const char **found =
        bsearch(&names[i], storage->class_names, (size_t)*classes, sizeof *storage->class_names, compare_names);
    if (found == NULL)
      status = rung_csv_refuse(&reader->csv, &reader->names[i], "a class of the set it shall be like");
    else
      storage->labels[i] = (int32_t)(found - storage->class_names);
  }
  rung_release(names);
  return status;
}

/* ---- All of it -----------------------------------------------------------------------------------------------------
 */

static rung_status read_text(csv_reader *reader, int32_t *classes) {
  rung_c_locale locale = {0};
  rung_status status = measure(reader);
  if (status == RUNG_OK) status = choose_roles(reader);
  if (status == RUNG_OK) status = allocate_storage(reader);
  if (status == RUNG_OK) status = rung_c_locale_enter(&locale);
  if (status != RUNG_OK) return status;
  status = read_rows(reader);
  rung_c_locale_leave(&locale);
  return status == RUNG_OK ? number_names(reader, classes) : status;
}

static rung_status read_file(const char *path, void **text, size_t *size) {
  rung_stream stream;
  rung_status status = rung_stream_open(&stream, path);
  if (status != RUNG_OK) return status;
  status = rung_stream_read_rest(&stream, SIZE_MAX, text, size);
  rung_stream_close(&stream);
  return status;
}

static rung_status check_options(const char *path, const rung_csv_options *options) {
  char separator = options->separator;
  if (path == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "no path of a CSV file");
  if (separator != '\0' && separator != ',' && separator != ';' && separator != '\t')
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: separator '%c', expected a comma, a semicolon or a tab", path,
                     separator);
  if ((unsigned)options->header > RUNG_CSV_HEADER_NO)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: header %d, expected RUNG_CSV_HEADER_DETECT, _YES or _NO", path,
                     (int)options->header);
  if (options->label != NULL && options->targets != NULL)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: label '%s' and targets '%s', expected one of them", path, options->label,
                     options->targets);
  return RUNG_OK;
}

rung_dataset *rung_dataset_read_csv(const char *path, const rung_csv_options *options) {
  static const rung_csv_options defaults;
  csv_reader reader = {.options = options != NULL ? options : &defaults};
  void *text = NULL;
  size_t size = 0;
  int32_t classes = 0;
  if (check_options(path, reader.options) != RUNG_OK) return NULL;
  reader.storage = rung_allocate(sizeof *reader.storage);
  if (reader.storage == NULL) return NULL;
  rung_status status = read_file(path, &text, &size);
  if (status == RUNG_OK) status = rung_csv_open(&reader.csv, path, text, size, reader.options->separator);
  if (status == RUNG_OK) status = read_text(&reader, &classes);
  rung_release(reader.names);
  rung_release(reader.roles);
  rung_release(text);
  if (status == RUNG_OK) {
    const rung_dataset *like = reader.options->like;
    if (classes == 0 && like != NULL) classes = like->classes;
    return rung_dataset_own(path, reader.storage, classes, like);
  }
  rung_dataset_storage_free(reader.storage);
  return NULL;
}
