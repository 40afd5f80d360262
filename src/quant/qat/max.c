/* The scale from the weights as they stand, the largest magnitude on the last integer: s = max|w| / qmax (eq. 5).
 * Binary: s = mean|w|, q = sign(w) (Rastegari et al., XNOR-Net, 2016). */
#include "../qat.h"
#include "../qparams.h"

const weight_method max_weights = {.name = "max", .scale = qparams_weight_scale, .quantize = qparams_quantize_weights};
