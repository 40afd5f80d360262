/* The integer program from the inside: a list of layers, each an integer product with its requantize. */
#ifndef RUNG_PROGRAM_H
#define RUNG_PROGRAM_H

#include <rung/deploy.h>

typedef struct program_layer {
  char name[64];
  rung_qgemm product;          /* all but a, m, y and the strides' owners; its arrays live in the program's arena */
  rung_integer_layer integers; /* the same, as the layer was trained; its arrays are copies in the arena */
  int64_t bound;               /* largest magnitude of an accumulator */
  int node;                    /* its index in the model's integer graph: for comparing */
} program_layer;

struct rung_program {
  rung_arena *arena;
  int count;
  program_layer *layer;
  bool real_inputs; /* the model's inputs are f32, quantized before the first layer */
  int64_t widest;   /* integers an example, of the widest layer but the last */
};

/* RUNG_ERROR_ARGUMENT, RUNG_ERROR_SHAPE: the dataset's inputs are not what the program takes. */
rung_status program_check_inputs(const rung_program *program, const rung_dataset *dataset);
/* The dataset's inputs as the program takes them: its own where they are integers; else quantized, in memory that
 * *owned then points to (rung_release it). NULL with a message if they do not fit the program. */
const void *program_inputs(const rung_program *program, const rung_dataset *dataset, void **owned);

#endif
