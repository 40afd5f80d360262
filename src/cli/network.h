/* The model that the options describe, and what it is told to be. */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include "session.h"

rung_model_options network_options(const session *asked);

/* Of --model, --loss and --weights, for `data`. NULL with a message. */
rung_model *network_record(const session *asked, const rung_dataset *data);

/* An option that means something with `--with name` only, and would be ignored. */
rung_status network_check_goes_with(const session *asked, option_id id, option_id with, const char *name);

/* That --group is a multiple of 4: integers run in groups of no others. */
rung_status network_check_group(const session *asked);

/* The scheme of --bits, --granularity and the like. */
rung_status network_scheme(const session *asked, rung_scheme *scheme);

/* "w8a8", "mixed" where layers have bits of their own, or "fp32" where the model is not quantized. */
const char *network_bits(const rung_model *model, char text[8]);
int64_t network_parameters(const rung_model *model); /* numbers, all told */

/* Tests the model, in its present form, on `test`, and tells: accuracy, or the loss of a regression; JSON under `key`.
 * *percent is the accuracy, NaN in a regression. */
rung_status network_test(session *asked, rung_model *model, const rung_dataset *test, const char *key, double *percent);

/* --require-accuracy asks for what a regression does not have. */
rung_status network_check_accuracy(const session *asked, const rung_dataset *data);

/* FALLS_SHORT, and a line, where `percent` is below --require-accuracy. */
ending network_judge(session *asked, double percent);

/* The program of a quantized model; where there is none, says so ("not_frozen" in JSON), and NULL: it can be trained on
 * all the same. */
rung_program *network_freeze(session *asked, rung_model *model);

/* What a network has learned: its hash, size and bits, as a line and as JSON. */
void network_tell(session *asked, const rung_model *model);

#endif
