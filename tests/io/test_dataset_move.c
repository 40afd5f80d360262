#include "harness.h"

#include <rung/io.h>

enum { COUNT = 60, CHANNELS = 2, HEIGHT = 5, WIDTH = 4, PICTURE = CHANNELS * HEIGHT * WIDTH, ZERO = 7 };

static uint8_t pixels[COUNT * PICTURE];
static float numbers[COUNT * PICTURE];
static int32_t labels[COUNT];

/* No pixel is the zero point, all of a picture differ. */
static rung_dataset *pictures(rung_dtype type) {
  for (int i = 0; i < COUNT * PICTURE; i++) numbers[i] = pixels[i] = (uint8_t)(ZERO + 1 + (i * 3 + i / PICTURE) % 200);
  for (int i = 0; i < COUNT; i++) labels[i] = i % 3;
  rung_tensor inputs = {.type = type, .shape = RUNG_SHAPE(COUNT, CHANNELS, HEIGHT, WIDTH), .data = numbers};
  if (type == RUNG_U8) {
    inputs.data = pixels;
    inputs.scale = 0.5f;
    inputs.zero_point = ZERO;
  }
  rung_dataset *set = rung_dataset_new("digits", &inputs, labels, 3, NULL);
  ck_assert_msg(set != NULL, "%s", rung_error());
  return set;
}

static float at(const rung_dataset *set, int64_t index) {
  return set->inputs.type == RUNG_U8 ? ((const uint8_t *)set->inputs.data)[index]
                                     : ((const float *)set->inputs.data)[index];
}

static bool is_moved(const rung_dataset *moved, const rung_dataset *from, int picture, int down, int right) {
  const float zero = from->inputs.type == RUNG_U8 ? ZERO : 0;
  for (int i = 0; i < PICTURE; i++) {
    const int channel = i / (HEIGHT * WIDTH), y = i / WIDTH % HEIGHT - down, x = i % WIDTH - right;
    const bool inside = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
    const int64_t source = (int64_t)picture * PICTURE + (channel * HEIGHT + y) * WIDTH + x;
    if (at(moved, (int64_t)picture * PICTURE + i) != (inside ? at(from, source) : zero)) return false;
  }
  return true;
}

/* Each picture is its own at one place, all places come up, and the parent stays as it is. */
START_TEST(pictures_move_anywhere_within_the_bound) {
  static const rung_dtype types[] = {RUNG_U8, RUNG_F32};
  enum { MOST = 1, PLACES = 2 * MOST + 1 };
  rung_dataset *set = pictures(types[_i]), *moved = rung_dataset_movable(set);
  ck_assert_msg(moved != NULL, "%s", rung_error());
  ck_assert(moved->labels == set->labels && moved->classes == 3 && moved->count == COUNT);
  for (int p = 0; p < COUNT; p++) ENSURE(is_moved(moved, set, p, 0, 0));
  rung_rng rng = rung_rng_seed(1);
  int seen[PLACES * PLACES] = {0};
  ck_assert_int_eq(rung_dataset_move(moved, set, MOST, &rng), RUNG_OK);
  for (int p = 0; p < COUNT; p++) {
    int found = 0;
    for (int place = 0; place < PLACES * PLACES; place++) {
      const bool here = is_moved(moved, set, p, place / PLACES - MOST, place % PLACES - MOST);
      seen[place] += here;
      found += here;
    }
    ENSURE(found == 1);
  }
  for (int place = 0; place < PLACES * PLACES; place++) ENSURE(seen[place] > 0);
  rung_dataset_free(moved);
  rung_dataset_free(set);
}
END_TEST

/* From the parent each time, not from where they are; farther than they are wide. */
START_TEST(pictures_do_not_wander_off) {
  rung_dataset *set = pictures(RUNG_U8), *moved = rung_dataset_movable(set);
  rung_rng rng = rung_rng_seed(2);
  ck_assert_int_eq(rung_dataset_move(moved, set, 100, &rng), RUNG_OK);
  int empty = 0;
  for (int p = 0; p < COUNT; p++) empty += is_moved(moved, set, p, HEIGHT, 0);
  ck_assert_int_gt(empty, COUNT / 2);
  ck_assert_int_eq(rung_dataset_move(moved, set, 0, &rng), RUNG_OK);
  for (int p = 0; p < COUNT; p++) ENSURE(is_moved(moved, set, p, 0, 0));
  rung_dataset_free(moved);
  rung_dataset_free(set);
}
END_TEST

START_TEST(only_pictures_move) {
  rung_rng rng = rung_rng_seed(3);
  rung_dataset *set = pictures(RUNG_F32), *moved = rung_dataset_movable(set);
  ck_assert_int_eq(rung_dataset_move(moved, set, -1, &rng), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "digits: pictures moved by up to -1, expected 0..32767");
  ck_assert_int_eq(rung_dataset_move(set, set, 1, &rng), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "digits: expected what rung_dataset_movable made of 'digits'");
  rung_dataset *row = pictures(RUNG_F32);
  row->inputs.shape = RUNG_SHAPE(COUNT, PICTURE);
  ck_assert_ptr_null(rung_dataset_movable(row));
  ck_assert_msg(strstr(rung_error(), "expected pictures [count, ..., height, width]") != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_dataset_move(moved, row, 1, &rng), RUNG_ERROR_SHAPE);
  rung_dataset_free(row);
  rung_dataset_free(moved);
  rung_dataset_free(set);
}
END_TEST

TEST_MAIN(CASES(pictures_move_anywhere_within_the_bound, 2), CASE(pictures_do_not_wander_off), CASE(only_pictures_move))
