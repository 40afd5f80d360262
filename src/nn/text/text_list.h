/* Every layer and loss that a network as text may have: ROW(id, word, what follows it, what it does, ...). The names,
 * the tests and the help of the command are made from these rows. Adding one: its row here, its functions in layers.c.
 */
#ifndef RUNG_TEXT_LIST_H
#define RUNG_TEXT_LIST_H

#include <rung/nn.h>

/* ROW(id, word, arguments, help, operation, argument, prefix of its default name) */
#define TEXT_LAYER_LIST(ROW)                                                                                           \
  ROW(linear, "linear", "OUT [no-bias] [xavier] [as NAME]", "x W^T + b", "linear", TEXT_COUNT, "fc")                   \
  ROW(batch_norm, "batch-norm", "[whole] [momentum P] [epsilon P] [as NAME]",                                          \
      "each column, or the whole, less its mean, by its deviation; then scaled and shifted", "batch_norm",             \
      TEXT_NOTHING, "bn")                                                                                              \
  ROW(relu, "relu", "", "max(x, 0)", "relu", TEXT_NOTHING, NULL)                                                       \
  ROW(relu6, "relu6", "", "min(max(x, 0), 6)", "relu6", TEXT_NOTHING, NULL)                                            \
  ROW(sigmoid, "sigmoid", "", "1 / (1 + e^-x)", "sigmoid", TEXT_NOTHING, NULL)                                         \
  ROW(tanh, "tanh", "", "tanh x", "tanh", TEXT_NOTHING, NULL)                                                          \
  ROW(gelu, "gelu", "", "x (1 + erf(x / sqrt 2)) / 2", "gelu", TEXT_NOTHING, NULL)                                     \
  ROW(rescale, "rescale", "SCALE OFFSET", "SCALE x + OFFSET: \"rescale 2 -1\" takes pixels 0 .. 1 to -1 .. 1",         \
      "rescale", TEXT_TWO_NUMBERS, NULL)                                                                               \
  ROW(dropout, "dropout", "P", "in training, drops elements with probability P", "dropout", TEXT_FRACTION, NULL)       \
  ROW(reshape, "reshape", "SHAPE", "the same numbers in another shape, 28x28", "reshape", TEXT_SHAPE, NULL)

/* ROW(id, word, arguments, help, operation) */
#define TEXT_LOSS_LIST(ROW)                                                                                            \
  ROW(cross_entropy, "cross-entropy", "", "of classes: -log softmax(x)[label]", "cross_entropy")                       \
  ROW(squared_hinge, "squared-hinge", "", "of classes: max(0, 1 - y x)^2, y = +1 for the label's, else -1",            \
      "squared_hinge")                                                                                                 \
  ROW(squared_error, "squared-error", "", "of numbers: (x - target)^2", "squared_error")

#define TEXT_COUNT_ROW(...) +1

#endif
