/* rung/nn/mixed_precision.h: bits for each layer, under a limit in bytes.
 *
 *   rung_quantize(mlp, &(rung_scheme){.activation_bits = 8});
 *   rung_mixed_precision(mlp, train, 40000, NULL);
 *   rung_ptq(mlp, train, 1000, &(rung_ptq_options){.methods = 1u << RUNG_PTQ_GPTQ});
 *
 * After the second line the scheme has bits for every layer; the third quantizes by it. */
#ifndef RUNG_NN_MIXED_PRECISION_H
#define RUNG_NN_MIXED_PRECISION_H

#include <rung/nn/ptq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Choosing: one of `choices` for each layer ------------------------------------------------------------------ */

/* What a layer takes and costs at some bits. Losses of layers add up; finite and not negative. */
typedef struct rung_bit_choice {
  int64_t bytes;
  double loss;
} rung_bit_choice;

typedef enum rung_bit_search {
  RUNG_BIT_SEARCH_DEFAULT = 0, /* exact up to RUNG_BIT_SEARCH_LAYERS layers, greedy beyond */
  RUNG_BIT_SEARCH_GREEDY,      /* from the most bits on, the step down that adds the least loss a byte, until it fits;
                                  then steps up that still fit, those that save the most loss a byte first */
  RUNG_BIT_SEARCH_EXACT,       /* the least loss of all, by branch and bound */
  RUNG_BIT_SEARCH_COUNT
} rung_bit_search;

#define RUNG_BIT_SEARCH_LAYERS 12

/* chosen[l] is the choice for layer l of table [layers, choices], each row in ascending bits: the sum of bytes is at
 * most `limit`. Of choices with the same loss the one with fewer bytes. RUNG_ERROR_ARGUMENT: no choice fits; the
 * message tells how many bytes the smallest takes. */
RUNG_API rung_status rung_choose_bits(const rung_bit_choice *table, int layers, int choices, int64_t limit,
                                      rung_bit_search search, int *chosen);

/* ---- Measuring -------------------------------------------------------------------------------------------------- */

typedef struct rung_mixed_options {
  int least_bits, most_bits; /* weight bits to choose from, 1 .. 8; 0: 2 and 8 */
  int64_t examples; /* to calibrate on, the dataset's first, and as many behind them to measure on; 0: 1000. Of a
                       dataset that has fewer: halves of it */
  const rung_ptq_options *ptq; /* how layers are rounded while they are measured; NULL: to nearest */
  bool by_accuracy;            /* the loss is the drop in accuracy rather than the noise, which is finer */
  rung_bit_search search;
} rung_mixed_options;

/* The network's output where one layer has weights of `bits`, and all else 8 bits. */
typedef struct rung_bit_sensitivity {
  int bits;
  int64_t bytes;   /* of that layer in a program, bias and multipliers with it */
  double noise;    /* |y - y_float|^2 / |y_float|^2, y the network's outputs before the loss */
  double sqnr;     /* -10 log10 noise, dB; infinite where nothing is lost */
  double accuracy; /* 0 in a regression */
  double drop;     /* accuracy of the float network, minus that */
} rung_bit_sensitivity;

typedef struct rung_layer_sensitivity {
  char name[RUNG_LAYER_NAME];
  int64_t in, out;
  rung_bit_sensitivity at[8]; /* choices of them */
} rung_layer_sensitivity;

typedef struct rung_sensitivity {
  int layers, choices;
  rung_layer_sensitivity *layer; /* [layers] */
} rung_sensitivity;

/* Measures every layer at every width on data that was not calibrated on. The model must have a scheme
 * (rung_quantize): granularity and groups are its. It is left in float form, uncalibrated, its parameters as they were
 * but for batch norms, which are folded as rung_calibrate does. Release with rung_sensitivity_free; NULL with a
 * message. `options` may be NULL. */
RUNG_API rung_sensitivity *rung_sensitivity_new(rung_model *model, const rung_dataset *dataset,
                                                const rung_mixed_options *options);
RUNG_API void rung_sensitivity_free(rung_sensitivity *sensitivity);

/* The fewest bytes that a limit can be: all layers at least_bits. Nothing is measured. 0 with a message where it cannot
 * be told. */
RUNG_API int64_t rung_mixed_precision_least(rung_model *model, const rung_mixed_options *options);

/* Gives the model's scheme the weight bits of every layer that such a measurement calls for, so that its program has at
 * most `limit` bytes of parameters (rung_program_info.weight_bytes). Activations keep the scheme's bits: they take no
 * room in a program. Calibrate, or rung_ptq, comes next. */
RUNG_API rung_status rung_mixed_precision(rung_model *model, const rung_dataset *dataset, int64_t limit,
                                          const rung_mixed_options *options);
/* The same from a measurement that is there. */
RUNG_API rung_status rung_mixed_precision_from(rung_model *model, const rung_sensitivity *sensitivity, int64_t limit,
                                               const rung_mixed_options *options);

#ifdef __cplusplus
}
#endif

#endif
