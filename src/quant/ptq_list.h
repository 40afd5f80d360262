/* Every method of post-training quantization: PTQ_LIST(ROW) expands ROW(method, structure) once for each. Adding one:
 * docs/adding.md. */
#ifndef RUNG_PTQ_LIST_H
#define RUNG_PTQ_LIST_H

#define PTQ_LIST(ROW)                                                                                                  \
  ROW(RUNG_PTQ_NEAREST, nearest_method)                                                                                \
  ROW(RUNG_PTQ_MSE, mse_method)                                                                                        \
  ROW(RUNG_PTQ_GPTQ, gptq_method)                                                                                      \
  ROW(RUNG_PTQ_ADAROUND, adaround_method)                                                                              \
  ROW(RUNG_PTQ_CLE, cle_method)                                                                                        \
  ROW(RUNG_PTQ_SMOOTHQUANT, smoothquant_method)                                                                        \
  ROW(RUNG_PTQ_AWQ, awq_method)                                                                                        \
  ROW(RUNG_PTQ_BIAS_CORRECTION, bias_correction_method)

#endif
