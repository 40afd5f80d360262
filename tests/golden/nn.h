/* Made by make_nn.py: the cases of nn.bin. */
/* clang-format off */
enum { GOLDEN_STEPS = 10, GOLDEN_FIRST = 40, GOLDEN_SECOND = 3, GOLDEN_WEIGHTS = 43, GOLDEN_TOTAL = 40 };
static const rung_fit_options golden_options[] = {
    {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.1f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.1f, .weight_decay = 0.05f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.05f, .momentum = 0.9f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.05f, .momentum = 0.8f, .nesterov = 1, .weight_decay = 0.01f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.1f, .momentum = 0.5f, .clip_norm = 5},
    {.optimizer = RUNG_OPTIMIZER_ADAM, .rate = 0.01f},
    {.optimizer = RUNG_OPTIMIZER_ADAM, .rate = 0.02f, .momentum = 0.7f, .beta2 = 0.9f, .epsilon = 0.001f},
    {.optimizer = RUNG_OPTIMIZER_ADAM, .rate = 0.01f, .weight_decay = 0.1f},
    {.optimizer = RUNG_OPTIMIZER_ADAM, .rate = 0.01f, .epsilon = 0.5f, .clip_norm = 3},
    {.optimizer = RUNG_OPTIMIZER_ADAMW, .rate = 0.01f},
    {.optimizer = RUNG_OPTIMIZER_ADAMW, .rate = 0.01f, .weight_decay = 0.1f},
    {.optimizer = RUNG_OPTIMIZER_ADAMW, .rate = 0.02f, .momentum = 0.6f, .beta2 = 0.95f, .weight_decay = 0.3f, .clip_norm = 4},
    {.optimizer = RUNG_OPTIMIZER_ADAM8BIT, .rate = 0.01f, .weight_decay = 0.1f},
};
static const struct {
  rung_schedule schedule;
  float rate;
} golden_schedules[] = {
    {{RUNG_SCHEDULE_COSINE, .warm_up = 0, .period = 0, .factor = 0}, 0.1f},
    {{RUNG_SCHEDULE_COSINE, .warm_up = 5, .period = 0, .factor = 0}, 0.003f},
    {{RUNG_SCHEDULE_CONSTANT, .warm_up = 0, .period = 0, .factor = 0}, 0.02f},
    {{RUNG_SCHEDULE_CONSTANT, .warm_up = 7, .period = 0, .factor = 0}, 0.02f},
    {{RUNG_SCHEDULE_STEP, .warm_up = 0, .period = 0, .factor = 0}, 0.1f},
    {{RUNG_SCHEDULE_STEP, .warm_up = 0, .period = 6, .factor = 0.5f}, 0.1f},
    {{RUNG_SCHEDULE_STEP, .warm_up = 4, .period = 9, .factor = 0.7f}, 0.01f},
};
