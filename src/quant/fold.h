/* Batch norm behind a linear layer folds into it (Jacob et al., 2018, section 3.2), once, when a network is quantized:
 *   W'[j,k] = W[j,k] g_j,  b'[j] = (b[j] - mean_j) g_j + shift_j,  g_j = scale_j / sqrt(variance_j + epsilon).
 * A layer without a bias (b = 0) leaves b' with the batch norm, as its shift. */
#ifndef RUNG_FOLD_H
#define RUNG_FOLD_H

#include <rung/autograd.h>

/* Folds every batch norm whose input is a linear layer, where nothing else reads that layer or what the two are made
 * of. Behind a layer with a bias the identity is left in its place (scale = sqrt(variance + epsilon), shift = mean =
 * 0), no longer trained; behind one without, x + shift, of which the shift is trained as it was. */
void fold_batch_norms(rung_graph *graph);
/* Whether the node is such an identity, or such a shift. */
bool fold_is_folded(const rung_node *node);
/* What a linear layer adds, with a batch norm folded into it: its bias, or that one's shift; NULL if neither. */
rung_node *fold_bias(const rung_node *linear);

#endif
