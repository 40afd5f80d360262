/* Batch norm behind a linear layer folds into it (Jacob et al., 2018, section 3.2), once, when a network is quantized:
 *   W'[j,k] = W[j,k] g_j,  b'[j] = (b[j] - mean_j) g_j + shift_j,  g_j = scale_j / sqrt(variance_j + epsilon). */
#ifndef RUNG_FOLD_H
#define RUNG_FOLD_H

#include <rung/autograd.h>

/* Folds every batch norm whose input is a linear layer with a bias that nothing else reads, and leaves the identity in
 * its place (scale = sqrt(variance + epsilon), shift = mean = 0), no longer trained. */
void fold_batch_norms(rung_graph *graph);
/* Whether the node is such an identity. */
bool fold_is_folded(const rung_node *node);

#endif
