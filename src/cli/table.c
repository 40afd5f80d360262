/* The two lists as arrays, and what options may choose from. */
#include "table.h"

#include "memory_use.h"

#include <rung/rung.h>
#include <string.h>

const char *const group_titles[GROUP_COUNT] = {[GROUP_DATA] = "data",         [GROUP_MODEL] = "model",
                                               [GROUP_TRAINING] = "training", [GROUP_QUANTIZING] = "quantizing",
                                               [GROUP_MEMORY] = "memory",     [GROUP_RESULTS] = "results",
                                               [GROUP_ALWAYS] = "always"};

/* ---- What there is to choose from, in the order of the enums ----------------------------------------------------- */

static const char *listed(const char *const *names, int count, int index) {
  return index < count ? names[index] : NULL;
}

static const char *task_name(int index) {
  static const char *const names[] = {"classification", "regression"};
  return listed(names, 2, index);
}

static const char *loss_name(int index) {
  return index < rung_loss_word_count() ? rung_loss_word(index).name : NULL;
}

static const char *schedule_name(int index) {
  static const char *const names[RUNG_SCHEDULE_KIND_COUNT] = {"cosine", "constant", "step"};
  return listed(names, RUNG_SCHEDULE_KIND_COUNT, index);
}

static const char *granularity_name(int index) {
  static const char *const names[] = {"channel", "tensor", "group"};
  return listed(names, 3, index);
}

/* What weights can be trained in: RUNG_STORAGE_F32, 0, is none, and nf4-double's scales depend on all weights. */
static const char *storage_name(int index) {
  for (int format = 1; format < RUNG_STORAGE_FORMAT_COUNT; format++)
    if (format != RUNG_STORAGE_NF4_DOUBLE && index-- == 0) return rung_storage_name((rung_storage_format)format);
  return NULL;
}

static const char *ranges_name(int index) {
  static const char *const names[] = {"delayed", "current"};
  return listed(names, 2, index);
}

static const char *optimizer_name(int index) {
  return index < RUNG_OPTIMIZER_KIND_COUNT ? rung_optimizer_name((rung_optimizer_kind)index) : NULL;
}

static const char *training_name(int index) { /* 0 is no training */
  return memory_training_name((memory_training)(index + 1));
}

static const char *backward_name(int index) {
  return index < RUNG_BACKWARD_COUNT ? rung_backward_name((rung_backward)index) : NULL;
}

static const char *batch_norm_name(int index) {
  return index < RUNG_BATCH_NORM_MODE_COUNT ? rung_batch_norm_mode_name((rung_batch_norm_mode)index) : NULL;
}

static const char *weight_method_name(int index) {
  return index < RUNG_WEIGHTS_COUNT ? rung_weight_method_name((rung_weight_method)index) : NULL;
}

static const char *activation_method_name(int index) {
  return index < RUNG_ACTIVATIONS_COUNT ? rung_activation_method_name((rung_activation_method)index) : NULL;
}

static const char *observer_name(int index) { /* RUNG_OBSERVER_DEFAULT, 0, has no name to choose it by */
  return index + 1 < RUNG_OBSERVER_KIND_COUNT ? rung_observer_name((rung_observer_kind)(index + 1)) : NULL;
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

#define FLAG                      .kind = KIND_FLAG
#define TEXT(what, without)       .kind = KIND_TEXT, .argument = what, .standard = without
#define INPUT(what, without)      .kind = KIND_INPUT, .argument = what, .standard = without
#define OUTPUT(what, without)     .kind = KIND_OUTPUT, .argument = what, .standard = without
#define FOLDER(what, without)     .kind = KIND_FOLDER, .argument = what, .standard = without
#define CHOICE(what, without, of) .kind = KIND_CHOICE, .argument = what, .standard = without, .choice = of
#define WHOLE(what, without, from, to)                                                                                 \
  .kind = KIND_WHOLE, .argument = what, .standard = without, .least = from, .most = to
#define NUMBER(what, without, from, to)                                                                                \
  .kind = KIND_NUMBER, .argument = what, .standard = without, .low = from, .high = to

#define ROW(id, in, called, short_form, value, text)                                                                   \
  [OPTION_##id] = {.name = called, .letter = short_form, .group = GROUP_##in, .help = text, value},
const option options[OPTION_COUNT] = {
#include "option_list.h"
};
#undef ROW

/* ---- Commands --------------------------------------------------------------------------------------------------- */

#define ROW(name) &name##_command,
const command *const commands[] = {
#include "command_list.h"
};
#undef ROW

const int command_count = sizeof commands / sizeof *commands;

const char *command_name(int index) {
  return index < command_count ? commands[index]->name : NULL;
}

const command *command_find(const char *name) {
  for (int i = 0; i < command_count; i++)
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
  return NULL;
}

bool command_takes(const command *it, int id) {
  return it->required[id] || it->taken[id] || id == OPTION_HELP;
}
