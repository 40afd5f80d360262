/* The second promise, for whole trainings: the same seed gives the same weights and the same losses, to the last bit,
 * for any number of threads and at every level of the kernels. */
#include "recipes.h"

typedef struct result {
  uint64_t hash;
  rung_metrics train, validation;
} result;

static bool remember(void *context, const rung_progress *progress) {
  result *last = context;
  last->train = progress->train;
  last->validation = progress->validation;
  return false;
}

/* Two epochs in f32, and for a quantized form two more in it. */
static result train(const recipe *r, int threads, uint64_t seed) {
  problem *p = problem_new(RUNG_U8, 103, 1), *held_out = problem_new(RUNG_U8, 37, 2);
  rung_model *model = recipe_model(r, threads, seed);
  result last = {0};
  rung_fit_options options = recipe_float_fit(r);
  options.epochs = 2;
  options.rate = 1e-2f;
  options.validation = held_out->data;
  options.progress = remember;
  options.context = &last;
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  if (r->form != RUNG_FORM_FLOAT) {
    ck_assert_msg(rung_quantize(model, &r->scheme) == RUNG_OK, "%s", rung_error());
    ck_assert_msg(rung_calibrate(model, p->data, 60) == RUNG_OK, "%s", rung_error());
    ck_assert_int_eq(rung_model_use(model, r->form), RUNG_OK);
    options.oscillation = r->fit.oscillation;
    ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  }
  last.hash = rung_model_hash(model);
  rung_model_free(model);
  problem_free(p);
  problem_free(held_out);
  return last;
}

static void expect_same(const result *a, const result *b, const char *name, const char *level, int threads) {
  ck_assert_msg(a->hash == b->hash && a->train.loss == b->train.loss && a->train.accuracy == b->train.accuracy &&
                    a->validation.loss == b->validation.loss && a->validation.accuracy == b->validation.accuracy,
                "%s: other bits at level %s, threads: %d", name, level, threads);
}

START_TEST(same_bits_on_any_number_of_threads) {
  const result one = train(&recipes[_i], 1, 1);
  for (int threads = 1; threads <= 3; threads++) {
    const result more = train(&recipes[_i], threads, 1);
    expect_same(&one, &more, recipes[_i].name, rung_kernels_active()->level, threads);
  }
}
END_TEST

START_TEST(same_bits_at_every_level) {
  ck_assert_int_eq(rung_kernels_use("ref"), RUNG_OK);
  const result plain = train(&recipes[_i], 1, 1);
  for (int l = 1; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    const bool exception = recipes[_i].scheme.backward == RUNG_BACKWARD_BF16;
    if (exception && !strcmp(rung_kernels_level(l)->level, "v4bf16")) continue;
    ck_assert_int_eq(rung_kernels_use(rung_kernels_level(l)->level), RUNG_OK);
    const result vector = train(&recipes[_i], 1, 1);
    expect_same(&plain, &vector, recipes[_i].name, rung_kernels_level(l)->level, 1);
  }
}
END_TEST

/* A limit that no gradient reaches has all of them stored before the first weight moves; without one, weights move as
 * their gradients come. Each recipe by two of the optimizers, the next one by two others: an optimizer moves the
 * weights that it is given, whatever layer's they are. By 8-bit Adam also each that is wide enough for its blocks. */
START_TEST(gradients_taken_or_stored_give_the_same_bits) {
  static const rung_fit_options optimizers[] = {
      {0},
      {.weight_decay = 1e-2f},
      {.optimizer = RUNG_OPTIMIZER_ADAMW, .weight_decay = 1e-2f},
      {.optimizer = RUNG_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true, .weight_decay = 1e-3f},
      {.optimizer = RUNG_OPTIMIZER_SGD},
      {.optimizer = RUNG_OPTIMIZER_ADAM8BIT, .weight_decay = 1e-2f},
  };
  for (int i = 0; i < (int)(sizeof optimizers / sizeof optimizers[0]); i++) {
    const bool blocks = recipes[_i].wide && optimizers[i].optimizer == RUNG_OPTIMIZER_ADAM8BIT;
    if (i % 3 != _i % 3 && !blocks) continue;
    recipe taken = recipes[_i], stored = recipes[_i];
    taken.fit = stored.fit = optimizers[i];
    stored.fit.clip_norm = 1e30f;
    const result one = train(&stored, 1, 1);
    for (int threads = 1; threads <= 3; threads += 2) {
      const result more = train(&taken, threads, 1);
      expect_same(&one, &more, recipes[_i].name, rung_optimizer_name(optimizers[i].optimizer), threads);
    }
  }
}
END_TEST

START_TEST(another_seed_gives_other_weights) {
  ck_assert_uint_ne(train(&recipes[_i], 1, 1).hash, train(&recipes[_i], 1, 2).hash);
}
END_TEST

/* No recipe is another one under a second name. */
START_TEST(recipes_differ) {
  uint64_t hash[RECIPES];
  for (int i = 0; i < RECIPES; i++) {
    hash[i] = train(&recipes[i], 1, 1).hash;
    for (int j = 0; j < i; j++) ck_assert_msg(hash[i] != hash[j], "%s = %s", recipes[i].name, recipes[j].name);
  }
}
END_TEST

TEST_MAIN(CASES(same_bits_on_any_number_of_threads, RECIPES), CASES(same_bits_at_every_level, RECIPES),
          CASES(gradients_taken_or_stored_give_the_same_bits, RECIPES),
          CASES(another_seed_gives_other_weights, RECIPES), CASE(recipes_differ))
