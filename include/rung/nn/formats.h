/* rung/nn/formats.h: what storing a network's weights in few bits costs (the formats: rung/quant/formats.h).
 *
 *   rung_stored stored;
 *   rung_model_store(model, &(rung_storage){.format = RUNG_STORAGE_NF4}, &stored);
 *   rung_evaluate(model, test, &metrics);      (the accuracy of the network with weights decoded from NF4) */
#ifndef RUNG_NN_FORMATS_H
#define RUNG_NN_FORMATS_H

#include <rung/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Weights of linear layers, biases not among them. */
typedef struct rung_stored {
  int64_t weights;
  size_t bytes; /* codes and scales */
  double bits_per_weight;
  double sqnr;          /* dB: 10 log10(sum w^2 / sum (w - w')^2) over all weights; infinite where nothing is lost */
  double largest_error; /* max |w - w'| */
} rung_stored;

/* Replaces every weight of a linear layer by what is decoded after encoding it in this format, for good, and measures.
 * `stored` may be NULL. RUNG_ERROR_NUMERIC where a parameter is not finite; RUNG_ERROR_STATE where the model has no
 * linear layer. Nothing has changed then. */
RUNG_API rung_status rung_model_store(rung_model *model, const rung_storage *storage, rung_stored *stored);

#ifdef __cplusplus
}
#endif

#endif
