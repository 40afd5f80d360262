/* The fields of a structure as text, each by its name, and back: what a checkpoint's metadata are made of. */
#ifndef RUNG_FIELDS_H
#define RUNG_FIELDS_H

#include <rung/nn.h>

typedef enum field_kind { FIELD_INT, FIELD_I64, FIELD_U64, FIELD_F32, FIELD_BOOL, FIELD_NAME } field_kind;

typedef struct text_field {
  const char *name;
  field_kind kind;
  size_t offset;
  /* FIELD_NAME: the names of an enum's values 0 .. count-1 */
  const char *(*value_name)(int value);
  int count;
  bool may_lack; /* files from before there was such a field stand for 0 */
} text_field;

enum { FIELD_TEXT = 64 };

/* The field's value as text; returns `text`. */
const char *field_format(const text_field *field, const void *object, char text[FIELD_TEXT]);
/* Sets the field; false where the text is no value of it. */
bool field_parse(const text_field *field, const char *text, void *object);

/* What a model is beside its parameters. */
typedef struct model_fields {
  int64_t batch;
  uint64_t seed, epochs;
  uint64_t float_steps, integer_steps, simulated_steps; /* of the three graphs: places in random streams */
  int form;
  bool has_scheme, calibrated;
} model_fields;

/* How far a fit is. */
typedef struct place_fields {
  int64_t examples; /* of the dataset */
  int epoch;
  int64_t step;       /* steps done of that epoch */
  uint64_t loss_bits; /* of a double: the sum over the epoch's examples so far */
  int64_t correct;
  uint64_t teacher; /* a hash of what the teacher said to all examples; 0: none */
} place_fields;

/* Tables of fields; each ends where `name` is NULL. */
extern const text_field model_table[], scheme_table[], input_table[], fit_table[], place_table[];

#endif
