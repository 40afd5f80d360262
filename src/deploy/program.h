/* The integer program from the inside: the public instructions and buffers, and what the host needs to run them. */
#ifndef RUNG_PROGRAM_H
#define RUNG_PROGRAM_H

#include <rung/deploy.h>

#define PROGRAM_NAME_SIZE 64

typedef struct program_layer {
  rung_instruction instruction;      /* its arrays are copies in the program's arena */
  char name[PROGRAM_NAME_SIZE];      /* "fc1" */
  char parameter[PROGRAM_NAME_SIZE]; /* "fc1.weight": the weight as the model calls it */
  rung_qgemm product;                /* all but a, m and y */
} program_layer;

struct rung_program {
  rung_arena *arena;
  int count;
  program_layer *layer;
  rung_buffer *buffer;                /* [count + 1], from the input to the logits */
  int64_t scratch;                    /* bytes an example of all buffers in scratch */
  char input_name[PROGRAM_NAME_SIZE]; /* the model's; "" if not known */
  rung_shape input_shape;             /* of an example: without the batch */
  bool real_inputs;                   /* the model's inputs are f32, quantized before the first layer */
  rung_input_table *table;            /* what the caller's integers go through first; NULL: nothing */
};

/* An empty program with room for `layers` of them. NULL with a message. */
rung_program *program_new(int layers);

/* A copy of the table becomes the program's. */
rung_status program_set_table(rung_program *program, const rung_input_table *table);

/* Ends a program whose `count` layers have their names and integers set, with arrays of any owner: checks each layer
 * (check.c), copies its arrays, packs its weights, makes its instruction and plans the buffers (plan.c). Messages begin
 * with `what`. */
rung_status program_finish(rung_program *program, const char *what);

/* Fills instruction->bound and bits; refuses a layer that could overflow an int32 accumulator or an int64 sum, or whose
 * multipliers and shifts are not those of its scales (eq. 7, 9). */
rung_status program_check_layer(program_layer *layer, const char *what);

/* The buffers and their places in scratch: two that are never alive together share memory. */
rung_status program_plan(rung_program *program);
/* Sets the offsets of those of buffer [count] that lie in scratch, and raises *scratch to the bytes that they take. */
rung_status program_place(rung_buffer *buffer, int count, int64_t *scratch);

/* Whether a layer may have this name: 1 to 63 bytes, no control characters. */
bool program_name_is_good(const char *name);

/* The dataset's inputs as the program takes them: its own where they are the program's integers; else quantized, in
 * memory that *owned then points to (rung_release it). NULL with a message if they do not fit the program. */
const void *program_inputs(const rung_program *program, const rung_dataset *dataset, void **owned);

#endif
