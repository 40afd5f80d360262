/* Verifying, from the inside. verify.c walks the dataset block by block; each execution_*.c computes a block in its own
 * way and puts every layer on its grid; count.c holds the executions against each other; exact.c computes one value
 * anew; verification.c answers questions about the outcome, report.c writes it down. */
#ifndef RUNG_VERIFY_H
#define RUNG_VERIFY_H

#include "../program.h"

#define REASON_SIZE 256

/* ---- The outcome ------------------------------------------------------------------------------------------------ */

typedef struct execution_result {
  rung_outcome outcome;
  char reason[REASON_SIZE];
  rung_layer_agreement *layer; /* [layers] */
  double *noise;               /* [layers]: sum of squared differences from FP32 */
  int64_t agree, correct;
} execution_result;

struct rung_verification {
  rung_arena *arena;
  int layers;
  const char **name; /* [layers] */
  int64_t examples;
  bool labelled;
  double *signal; /* [layers]: sum of FP32's squares */
  execution_result execution[RUNG_EXECUTION_COUNT];
  bool found[RUNG_EXECUTION_COUNT][RUNG_EXECUTION_COUNT]; /* [a][b], a < b */
  rung_difference first[RUNG_EXECUTION_COUNT][RUNG_EXECUTION_COUNT];
};

/* ---- A run ------------------------------------------------------------------------------------------------------ */

/* What an execution gives of one layer for the examples of a block. */
typedef struct layer_values {
  int32_t *q;          /* [block, out], on the layer's grid */
  const float *real;   /* [block, out]; NULL: what q stands for */
  const float *before; /* [block, out]: reals before they were rounded to the grid; NULL: there are none to be had */
} layer_values;

typedef struct verify_run verify_run;
typedef struct verify_execution verify_execution;

/* Failures that are the execution's own end in execution_give_up; a status other than RUNG_OK ends the whole run. */
typedef struct execution_kind {
  const char *name;
  bool exact;         /* must equal the program */
  bool simulates;     /* the program, in f32: where it differs, ties are told from the rest */
  bool biases_in_f32; /* ... with biases that are not rounded */
  rung_status (*open)(verify_execution *execution);
  rung_status (*run)(verify_execution *execution); /* the block at run->first */
  void (*close)(verify_execution *execution);      /* called wherever open was */
} execution_kind;

struct verify_execution {
  const execution_kind *kind;
  rung_execution which;
  verify_run *in;
  execution_result *result;
  layer_values *layer; /* [layers] */
  bool *strayed;       /* [block]: the example's last counted layer is not the program's */
  void *state;         /* its own, zeroed; in the run's arena */
};

struct verify_run {
  rung_model *model;
  const rung_dataset *dataset;
  const rung_program *program;
  rung_verify_options options;
  rung_arena *arena;
  const char *folder; /* of what compiler and Python read and write; NULL until verify_folder */
  rung_verification *result;
  int64_t block, first, count; /* examples at most, and those of the present block */
  void *bytes;                 /* where real inputs are quantized to */
  const void *input;           /* [count, inputs], as the program takes them */
  int32_t *input_q;            /* what the first layer reads of them, as int32 */
  verify_execution execution[RUNG_EXECUTION_COUNT];
};

static inline const rung_integer_layer *verify_layer(const verify_run *run, int layer) {
  return &run->program->layer[layer].instruction.integers;
}
static inline bool verify_is_logits(const verify_run *run, int layer) {
  return layer == run->program->count - 1;
}
static inline bool execution_ran(const verify_execution *execution) {
  return execution->result->outcome == RUNG_OUTCOME_RAN;
}

const execution_kind *verify_kind(rung_execution execution);
extern const execution_kind execution_float, execution_simulated, execution_evaluation, execution_training,
    execution_program, execution_emitted, execution_onnx;

/* The execution is over, for a reason of its own. Returns RUNG_OK: the others go on. */
rung_status execution_give_up(verify_execution *execution, rung_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes run->folder if there is none yet. */
rung_status verify_folder(verify_run *run);

/* Integers of `type` and reals [n] -> the layer's grid. */
void verify_widen(int32_t *q, rung_dtype type, const void *from, int64_t n);
void verify_put_on_grid(int32_t *q, const rung_integer_layer *layer, const float *x, int64_t n);

/* ---- Counting --------------------------------------------------------------------------------------------------- */

/* The present block, in all executions that ran. */
void verify_count(verify_run *run);
void verify_find_first(verify_run *run);

/* ---- One value, anew -------------------------------------------------------------------------------------------- */

typedef struct exact_value {
  int64_t accumulator; /* bias included; 0 with groups */
  int32_t multiplier;  /* 0 with groups */
  int32_t shift;
  int64_t floor; /* before rounding, without zero point: floor + fraction */
  double fraction;
  double magnitude; /* sum of the products' magnitudes, in output steps */
  double unit;      /* an accumulator's step, in output steps; 0 with several groups */
  int32_t expected; /* after rounding and clamping, zero point included */
} exact_value;

/* Output j of the layer for input x [in] (eq. 8, 9 and 11), in int64, without any of the kernels. */
exact_value exact_output(const rung_integer_layer *layer, const int32_t *x, int64_t j);

#endif
