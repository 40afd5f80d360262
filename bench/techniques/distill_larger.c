/* Quantization-aware training with a larger FP32 network as teacher which, where the data are pictures, has learned
 * from moved ones: what the student never sees (Hinton et al., 2015). `qat` at the same setting is the same student
 * without one. */
#include "technique.h"

#include <stdio.h>

/* Chosen on a sixth of the training set, held out; docs/distillation.md. */
static const float temperature = 4, alpha = 0.9f;
enum { MOST = 2, EPOCHS = 20 };

typedef struct lesson {
  const rung_dataset *pictures;
  rung_dataset *moved;
  rung_rng rng;
} lesson;

/* After each epoch the pictures are elsewhere. */
static bool move_on(void *context, const rung_progress *progress) {
  lesson *l = context;
  return progress->step == progress->steps && rung_dataset_move(l->moved, l->pictures, MOST, &l->rng) != RUNG_OK;
}

static rung_status teach(const trial *t, rung_model *teacher) {
  const rung_fit_options options = {.epochs = t->quick ? 1 : EPOCHS, .rate = t->rate};
  if (t->train->inputs.shape.rank < 3) return rung_fit(teacher, t->train, &options);
  lesson l = {.pictures = t->train, .moved = rung_dataset_movable(t->train), .rng = rung_rng_seed(t->seed)};
  rung_status status = l.moved ? rung_dataset_move(l.moved, l.pictures, MOST, &l.rng) : rung_error_status();
  rung_fit_options moving = options;
  moving.progress = move_on;
  moving.context = &l;
  if (status == RUNG_OK) status = rung_fit(teacher, l.moved, &moving);
  rung_dataset_free(l.moved);
  return status;
}

static rung_model *record(const trial *t) {
  rung_model *teacher = rung_model_new(&(rung_model_options){.threads = t->threads, .seed = t->seed});
  rung_shape input = t->train->inputs.shape;
  input.rank--;
  for (int i = 0; i < input.rank; i++) input.extent[i] = t->train->inputs.shape.extent[i + 1];
  char layers[128];
  snprintf(layers, sizeof layers, "linear 512, relu, dropout 0.2, linear 256, relu, dropout 0.2, linear %d",
           (int)t->train->classes);
  if (teacher) rung_loss_cross_entropy(rung_record_text(rung_input(teacher, "input", input), layers));
  return teacher;
}

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_model *teacher = record(t);
  rung_status status = teacher ? rung_model_status(teacher) : rung_error_status();
  if (status == RUNG_OK) status = teach(t, teacher);
  if (status == RUNG_OK) status = trial_quantize(t, model, scheme);
  const rung_fit_options options = {
      .epochs = t->qat_epochs, .rate = t->qat_rate, .teacher = teacher, .temperature = temperature, .alpha = alpha};
  if (status == RUNG_OK) status = rung_fit(model, t->train, &options);
  rung_model_free(teacher);
  return status;
}

const technique technique_distill_larger = {
    .name = "distill-larger",
    .help = "qat with a larger FP32 teacher that learned from moved pictures, if they are any; beside it: qat",
    .settings = "w4a4, w3a8, w2a8",
    .run = run};
