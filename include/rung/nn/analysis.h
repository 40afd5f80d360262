/* rung/nn/analysis.h: what quantizing does to a network, layer by layer, measured on data. docs/report.md tells how to
 * read it, and draws it.
 *
 *   rung_analysis *analysis = rung_analyze(model, test, 0);
 *   for (int i = 0; i < rung_analysis_layers(analysis); i++)
 *     printf("%s: %.1f dB\n", rung_analysis_layer(analysis, i)->name, rung_analysis_layer(analysis, i)->sqnr);
 *   rung_analysis_free(analysis); */
#ifndef RUNG_NN_ANALYSIS_H
#define RUNG_NN_ANALYSIS_H

#include <rung/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* count[i] values lie in [first + i width, first + (i + 1) width). */
typedef struct rung_histogram {
  int bins; /* 0: none was made */
  float first, width;
  const double *count;
} rung_histogram;

/* Real values x, and the integers q that stand for them: the weights of a layer, or what a node gives over a dataset.
 * Shares are 0 .. 1. */
typedef struct rung_values_analysis {
  rung_format format;
  int64_t count;
  float least, most;           /* of x */
  float clip_least, clip_most; /* what integers can stand for: scale (qmin - zero_point) .. scale (qmax - zero_point);
                                  of weights with several scales, of the largest */
  double sqnr;    /* signal to quantization noise, dB: 10 log10(sum x^2 / sum (x - scale (q - zero_point))^2); infinite
                     where nothing is lost, NaN where all x are 0 */
  double clipped; /* share of x outside of the clip by more than half a step */
  double lowest, highest;       /* saturation: share of q that are qmin, that are qmax */
  rung_histogram before, after; /* of x, and of weights of what q stands for; in the same bins */
} rung_values_analysis;

/* A value that the network quantizes: an input that comes as f32, or what a layer or an operation puts out. x is what
 * is rounded there in the quantized network (its float simulation), so that this rounding alone is measured. */
typedef struct rung_activation_analysis {
  const char *name; /* of its layer, "fc1", or of the input; where it is neither, of its operation */
  rung_values_analysis values;
} rung_activation_analysis;

/* A linear layer. */
typedef struct rung_layer_analysis {
  const char *name; /* "fc1" */
  int64_t in, out;
  rung_values_analysis weights;
  int activation; /* of its output, behind the clamp, among the activations; -1: it has none, the output being logits */
  double sqnr;    /* dB, of its output in the integer network against that of the reference, by default the FP32 weights
                     behind it: errors of earlier layers too. QAT at few bits leaves those weights behind, and this says
                     less */
  int64_t dead;   /* outputs that had one and the same integer on every example */
  int64_t flips;  /* times that a weight's integer changed while it was watched (rung_oscillation); -1, and so in the
                     next two: it was not */
  int64_t oscillating, frozen; /* weights */
} rung_layer_analysis;

typedef struct rung_analysis rung_analysis;

/* Runs the model, calibrated, over the first `examples` (0 or more than there are: all) of the dataset, in FP32, in
 * simulation and in integers, block by block: memory does not grow with the dataset. The model is left in the form it
 * was in. NULL with a message: RUNG_ERROR_STATE, it is not calibrated; RUNG_ERROR_UNSUPPORTED, its weights are
 * simulated in a storage format; RUNG_ERROR_ARGUMENT, RUNG_ERROR_SHAPE, the dataset does not fit it;
 * RUNG_ERROR_NUMERIC, a parameter or an activation is not finite. */
RUNG_API rung_analysis *rung_analyze(rung_model *model, const rung_dataset *dataset, int64_t examples);
/* The same against the weights and outputs of another model in FP32: the network that the model came from. Methods of
 * rung_ptq leave rounded weights behind the integers, against which these lose nothing. The reference's batch norms are
 * folded, if the model's were. RUNG_ERROR_ARGUMENT: it is quantized; RUNG_ERROR_SHAPE: it has other layers. */
RUNG_API rung_analysis *rung_analyze_against(rung_model *model, rung_model *reference, const rung_dataset *dataset,
                                             int64_t examples);
RUNG_API void rung_analysis_free(rung_analysis *analysis);

RUNG_API int64_t rung_analysis_examples(const rung_analysis *analysis);
/* In order of recording; borrowed. NULL with a message where `index` is none. */
RUNG_API int rung_analysis_layers(const rung_analysis *analysis);
RUNG_API const rung_layer_analysis *rung_analysis_layer(const rung_analysis *analysis, int index);
RUNG_API int rung_analysis_activations(const rung_analysis *analysis);
RUNG_API const rung_activation_analysis *rung_analysis_activation(const rung_analysis *analysis, int index);

#ifdef __cplusplus
}
#endif

#endif
