/* rung/nn/ptq.h: post-training quantization of a whole model, in place of rung_calibrate.
 *
 *   rung_quantize(mlp, &(rung_scheme){.weight_bits = 3, .activation_bits = 8});
 *   rung_ptq(mlp, train, 1000, &(rung_ptq_options){.methods = 1u << RUNG_PTQ_GPTQ | 1u << RUNG_PTQ_BIAS_CORRECTION});
 *   rung_program *program = rung_freeze(mlp); */
#ifndef RUNG_NN_PTQ_H
#define RUNG_NN_PTQ_H

#include <rung/nn.h>
#include <rung/quant/ptq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a method sees of one layer's inputs at most, x and x_float together. */
#define RUNG_PTQ_INPUT_BYTES ((int64_t)256 << 20)

/* Quantizes a model with a scheme (rung_quantize), calibrating on the first `examples` (0 or more than there are: all)
 * of the dataset alone, without its labels:
 *   1. the transforms of `options`, on the float network: it computes what it did, up to f32 rounding;
 *   2. ranges, as rung_calibrate takes them;
 *   3. layer by layer, in order of computing: rounding, x being what the layer reads in the integer network whose
 *      earlier layers are rounded already, then its correction.
 * The model is left in integer form, as behind rung_calibrate. Its weights are now multiples of their scales, its
 * biases corrected: training goes on from there. The scales stay until the next calibration.
 *
 * A layer's inputs are taken a batch at a time, of as many examples as go into RUNG_PTQ_INPUT_BYTES; options->note is
 * told where these are fewer than were asked for. `options` may be NULL: round to nearest.
 * The errors of rung_calibrate and of the methods; RUNG_ERROR_UNSUPPORTED where scheme.weights is not RUNG_WEIGHTS_MAX;
 * weights and biases are then what they were, up to 1. */
RUNG_API rung_status rung_ptq(rung_model *model, const rung_dataset *dataset, int64_t examples,
                              const rung_ptq_options *options);

#ifdef __cplusplus
}
#endif

#endif
