#include "bitsandbytes.h"
#include "rung/quant.h"
#include "storage.h"

#include <float.h>
#include <math.h>

#define BY_GROUPS(FORMAT) .format = (FORMAT), .granularity = RUNG_PER_GROUP, .group = 20

static void *encoded(const rung_storage *storage, const float *weight, int64_t rows, int64_t columns,
                     rung_storage_layout *layout) {
  ck_assert_int_eq(rung_storage_measure(storage, rows, columns, layout), RUNG_OK);
  void *bytes = malloc(layout->bytes);
  ck_assert_msg(rung_storage_encode(storage, weight, rows, columns, bytes) == RUNG_OK, "%s", rung_error());
  return bytes;
}

static void round_trip(const rung_storage *storage, const float *weight, int64_t rows, int64_t columns, float *back) {
  rung_storage_layout layout;
  void *bytes = encoded(storage, weight, rows, columns, &layout);
  ck_assert_int_eq(rung_storage_decode(storage, bytes, rows, columns, back), RUNG_OK);
  free(bytes);
}

/* ---- Names and refusals ----------------------------------------------------------------------------------------- */

START_TEST(names_parse_back) {
  static const char *const names[] = {"f32",  "f16",  "bf16", "e4m3", "e5m2", "nf4",  "nf4-double",
                                      "int8", "int7", "int6", "int5", "int4", "int3", "int2"};
  ck_assert_int_eq(sizeof names / sizeof *names, RUNG_STORAGE_FORMAT_COUNT);
  for (int i = 0; i < RUNG_STORAGE_FORMAT_COUNT; i++) {
    rung_storage_format format;
    ck_assert_str_eq(rung_storage_name((rung_storage_format)i), names[i]);
    ck_assert_int_eq(rung_storage_parse(names[i], &format), RUNG_OK);
    ck_assert_int_eq(format, i);
  }
  rung_storage_format unused;
  ck_assert_int_eq(rung_storage_parse("fp4", &unused), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "format 'fp4', expected one of f32, f16, bf16, e4m3, e5m2, nf4, nf4-double, int8, "
                                 "int7, int6, int5, int4, int3, int2");
  ck_assert_str_eq(rung_storage_name(RUNG_STORAGE_FORMAT_COUNT), "unknown");
}
END_TEST

START_TEST(what_is_no_format_or_weight_is_refused) {
  rung_storage_layout layout;
  float weight[4] = {1, NAN, 0, 0};
  char bytes[64];
  rung_storage storage = {.format = RUNG_STORAGE_FORMAT_COUNT};
  ck_assert_int_eq(rung_storage_measure(&storage, 2, 2, &layout), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "format 14, expected 0..13");
  storage = (rung_storage){.format = RUNG_STORAGE_INT4, .granularity = RUNG_PER_GROUP};
  ck_assert_int_eq(rung_storage_check(&storage, "weight_storage"), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "weight_storage: group 0, expected 1 or more");
  storage.granularity = (rung_granularity)3;
  ck_assert_int_eq(rung_storage_check(&storage, "weight_storage"), RUNG_ERROR_ARGUMENT);
  storage.granularity = RUNG_PER_TENSOR;
  ck_assert_int_eq(rung_storage_measure(&storage, 0, 2, &layout), RUNG_ERROR_SHAPE);
  ck_assert_int_eq(rung_storage_measure(&storage, INT64_MAX / 2, 3, &layout), RUNG_ERROR_SHAPE);
  ck_assert_int_eq(rung_storage_encode(&storage, weight, 2, 2, bytes), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "weight 1 is nan, expected a finite number");
}
END_TEST

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

/* [6, 50]: 300 weights; per group of 20 three scales a row. */
static const struct {
  rung_storage storage;
  int64_t scales;
  size_t codes, bytes;
} sizes[] = {
    {{.format = RUNG_STORAGE_F32}, 0, 1200, 1200},
    {{.format = RUNG_STORAGE_F16}, 0, 600, 600},
    {{.format = RUNG_STORAGE_BF16}, 0, 600, 600},
    {{.format = RUNG_STORAGE_E4M3}, 6, 300, 324},
    {{.format = RUNG_STORAGE_E5M2, .granularity = RUNG_PER_TENSOR}, 1, 300, 304},
    {{.format = RUNG_STORAGE_NF4}, 5, 150, 170},
    {{.format = RUNG_STORAGE_NF4_DOUBLE}, 5, 150, 163},
    {{.format = RUNG_STORAGE_INT8}, 6, 300, 324},
    {{.format = RUNG_STORAGE_INT3}, 6, 113, 137},
    {{BY_GROUPS(RUNG_STORAGE_INT2)}, 18, 75, 147},
    {{BY_GROUPS(RUNG_STORAGE_INT7)}, 18, 263, 335},
};

START_TEST(a_size_counts_codes_and_scales) {
  rung_storage_layout layout;
  ck_assert_int_eq(rung_storage_measure(&sizes[_i].storage, 6, 50, &layout), RUNG_OK);
  ck_assert_int_eq(layout.scales, sizes[_i].scales);
  ck_assert_uint_eq(layout.code_bytes, sizes[_i].codes);
  ck_assert_uint_eq(layout.bytes, sizes[_i].bytes);
  ck_assert_double_eq_tol(layout.bits_per_weight, 8 * (double)layout.bytes / 300, 1e-12);
}
END_TEST

/* ---- Every format ----------------------------------------------------------------------------------------------- */

/* A large weight, whose overhead does not count: what the papers give. */
START_TEST(bits_a_weight_are_those_of_the_papers) {
  static const double bits[] = {32, 16, 16, 8, 8, 4.5, 4.127, 8, 7, 6, 5, 4, 3, 2};
  rung_storage_layout layout;
  const rung_storage storage = {.format = (rung_storage_format)_i, .granularity = RUNG_PER_TENSOR};
  ck_assert_int_eq(rung_storage_measure(&storage, 4096, 4096, &layout), RUNG_OK);
  ck_assert_double_eq_tol(layout.bits_per_weight, bits[_i], 1e-3);
}
END_TEST

enum { ROWS = 7, COLUMNS = 53, COUNT = ROWS * COLUMNS };

/* Rows of different magnitude, one of zeros. */
static void fill(float *weight) {
  bnb_numbers(weight, COUNT, 40);
  for (int i = 0; i < COUNT; i++) weight[i] *= i / COLUMNS == 3 ? 0 : ldexpf(1, i / COLUMNS - 4);
}

static const rung_granularity granularities[] = {RUNG_PER_CHANNEL, RUNG_PER_TENSOR, RUNG_PER_GROUP};

/* What is decoded is a fixed point: the same bytes and numbers again. (A rounded largest weight moves NF4's doubly
 * quantized scales.) */
START_TEST(what_was_stored_is_stored_again_without_loss) {
  const rung_storage storage = {
      .format = (rung_storage_format)(_i / 3), .granularity = granularities[_i % 3], .group = 20};
  if (storage.format == RUNG_STORAGE_NF4_DOUBLE) return;
  float weight[COUNT], once[COUNT], twice[COUNT];
  fill(weight);
  round_trip(&storage, weight, ROWS, COLUMNS, once);
  round_trip(&storage, once, ROWS, COLUMNS, twice);
  for (int i = 0; i < COUNT; i++) ck_assert_msg(fabsf(once[i] - twice[i]) <= 2 * FLT_EPSILON * fabsf(once[i]), "%d", i);
}
END_TEST

/* Half a step of the format at the block's largest magnitude; with scales that are quantized themselves, at the largest
 * of all. */
START_TEST(errors_are_at_most_half_a_step) {
  static const double steps[] = {0x1p-24,   0x1p-11,   0x1p-8,   0x1p-4,   0x1p-3,   0.152,   0.16,
                                 1 / 254.0, 1 / 126.0, 1 / 62.0, 1 / 30.0, 1 / 14.0, 1 / 6.0, 1 / 2.0};
  float weight[COUNT], back[COUNT];
  fill(weight);
  for (int g = 0; g < 3; g++) {
    const rung_storage storage = {.format = (rung_storage_format)_i, .granularity = granularities[g], .group = 20};
    round_trip(&storage, weight, ROWS, COLUMNS, back);
    const int64_t blocks = storage_block_count(&storage, ROWS, COLUMNS);
    for (int64_t b = 0; b < blocks; b++) {
      const storage_block block = storage_block_at(&storage, ROWS, COLUMNS, b);
      double largest = 0;
      for (int64_t i = 0; i < block.count; i++) largest = fmax(largest, fabs((double)weight[block.begin + i]));
      if (storage.format == RUNG_STORAGE_NF4_DOUBLE) largest = 4;
      for (int64_t i = block.begin; i < block.begin + block.count; i++)
        ck_assert_msg(fabs((double)back[i] - (double)weight[i]) <= steps[_i] * largest * 1.000001, "%s: %g for %g",
                      rung_storage_name(storage.format), (double)back[i], (double)weight[i]);
    }
  }
}
END_TEST

/* Over a block that rises, what is decoded never falls, and takes every value that the format has at 4 bits and less.
 */
START_TEST(codes_are_monotone) {
  enum { RISING = 64 };
  static const int values[RUNG_STORAGE_FORMAT_COUNT] = {[RUNG_STORAGE_NF4] = 16,
                                                        [RUNG_STORAGE_NF4_DOUBLE] = 16,
                                                        [RUNG_STORAGE_INT4] = 15,
                                                        [RUNG_STORAGE_INT3] = 7,
                                                        [RUNG_STORAGE_INT2] = 3};
  const rung_storage storage = {.format = (rung_storage_format)_i};
  float weight[RISING], back[RISING];
  for (int i = 0; i < RISING; i++) weight[i] = (float)(2 * i - RISING + 1) / (RISING - 1);
  round_trip(&storage, weight, 1, RISING, back);
  int different = 1;
  for (int i = 1; i < RISING; i++) {
    ENSURE(back[i] >= back[i - 1]);
    different += back[i] > back[i - 1];
  }
  if (values[_i]) ck_assert_int_eq(different, values[_i]);
}
END_TEST

START_TEST(blocks_cover_every_weight_once) {
  const rung_storage storage = {
      .format = (rung_storage_format)(_i / 3), .granularity = granularities[_i % 3], .group = 20};
  int64_t next = 0;
  for (int64_t b = 0; b < storage_block_count(&storage, ROWS, COLUMNS); b++) {
    const storage_block block = storage_block_at(&storage, ROWS, COLUMNS, b);
    ck_assert_int_eq(block.begin, next);
    ck_assert_int_ge(block.count, 1);
    next += block.count;
  }
  ck_assert_int_eq(next, COUNT);
}
END_TEST

/* The short way that training takes (storage_round), over all magnitudes, ties and subnormals. */
START_TEST(rounding_is_encoding_and_decoding) {
  enum { MANY = 40000 };
  static float weight[MANY], expected[MANY], rounded[MANY];
  const rung_storage storage = {.format = (rung_storage_format)_i, .granularity = RUNG_PER_TENSOR};
  const storage_kind *kind = storage_kind_of(storage.format);
  const int least = kind->type == RUNG_BF16 ? -149 : -40, most = kind->type == RUNG_BF16 ? 127 : 18;
  for (uint32_t i = 0; i < MANY; i++) {
    const uint32_t h = bnb_mix(i);
    const float fraction = 1 + (float)(h & 0x1FFF) / 0x2000; /* of so few bits that many are ties */
    weight[i] = ldexpf(h >> 31 ? -fraction : fraction, least + (int)((h >> 13 & 0xFFFF) % (uint32_t)(most - least)));
  }
  weight[0] = ldexpf(1, most);
  weight[1] = 0;
  const float scale = kind->scale ? kind->scale(kind, weight, MANY) : 1;
  uint32_t code[STORAGE_CHUNK];
  for (int i = 0; i < MANY; i += STORAGE_CHUNK) {
    const int n = MANY - i < STORAGE_CHUNK ? MANY - i : STORAGE_CHUNK;
    kind->encode(kind, weight + i, n, scale, code);
    kind->decode(kind, code, n, scale, expected + i);
  }
  storage_round(kind, weight, MANY, scale, rounded);
  for (int i = 0; i < MANY; i++)
    ck_assert_msg(rounded[i] == expected[i], "%s: %a for %a, expected %a", kind->name, (double)rounded[i],
                  (double)weight[i], (double)expected[i]);
}
END_TEST

START_TEST(zeros_stay_zeros) {
  const rung_storage storage = {.format = (rung_storage_format)_i};
  float weight[COUNT] = {0}, back[COUNT];
  for (int i = 0; i < COUNT; i++) back[i] = 1;
  round_trip(&storage, weight, ROWS, COLUMNS, back);
  for (int i = 0; i < COUNT; i++) ENSURE(back[i] == 0);
}
END_TEST

START_TEST(magnitudes_at_the_ends_of_f32_are_kept_in_order) {
  float weight[COUNT] = {FLT_MAX / 2, -FLT_MAX / 3, 1, [COLUMNS] = 0x1p-149f, -0x1p-140f, 0x1p-130f}, back[COUNT];
  const rung_storage storage = {.format = (rung_storage_format)_i};
  round_trip(&storage, weight, ROWS, COLUMNS, back);
  for (int i = 0; i < COUNT; i++) ENSURE(isfinite(back[i]));
  ck_assert(back[0] > 0 && back[1] <= 0 && back[2] >= 0);
}
END_TEST

/* ---- Single formats --------------------------------------------------------------------------------------------- */

START_TEST(floats_are_those_of_core) {
  static const rung_dtype types[] = {RUNG_F32, RUNG_F16, RUNG_BF16};
  const rung_storage storage = {.format = (rung_storage_format)_i};
  float weight[COUNT], back[COUNT];
  fill(weight);
  weight[5] = 1e6f;
  round_trip(&storage, weight, ROWS, COLUMNS, back);
  for (int i = 0; i < COUNT; i++)
    ENSURE(back[i] == rung_float_decode(types[_i], rung_float_encode(types[_i], weight[i], true)));
}
END_TEST

/* The largest magnitude of a row becomes the format's largest value, so it comes back whole; a tie goes to the even
 * code. */
START_TEST(fp8_reaches_its_largest_value) {
  const rung_storage storage = {.format = _i ? RUNG_STORAGE_E5M2 : RUNG_STORAGE_E4M3};
  const float largest = _i ? 57344 : 448, tie = _i ? 1.125f : 1.0625f;
  float weight[] = {largest / 4, -1, tie, largest * 2, 64, -largest * 2}, back[6];
  round_trip(&storage, weight, 2, 3, back);
  ck_assert(back[0] == largest / 4 && back[1] == -1 && back[2] == 1);
  ck_assert(back[3] == largest * 2 && back[4] == 64 && back[5] == -largest * 2);
}
END_TEST

/* As the integer layers have them (rung_quantize_rows). */
START_TEST(integers_are_those_of_a_scheme) {
  const rung_format format = {.bits = 8 - _i / 2, .is_signed = true, .symmetric = true};
  const int64_t group = _i % 2 ? 20 : 0, groups = group ? (COLUMNS + 19) / 20 : 1;
  const rung_storage storage = {.format = (rung_storage_format)(RUNG_STORAGE_INT8 + _i / 2),
                                .granularity = group ? RUNG_PER_GROUP : RUNG_PER_CHANNEL,
                                .group = group};
  float weight[COUNT], back[COUNT], scale[COUNT];
  int8_t q[COUNT];
  fill(weight);
  rung_quantize_rows(&format, weight, ROWS, COLUMNS, group, q, scale);
  rung_storage_layout layout;
  uint8_t *bytes = encoded(&storage, weight, ROWS, COLUMNS, &layout);
  ck_assert_int_eq(memcmp(bytes + layout.code_bytes, scale, layout.scale_bytes), 0);
  ck_assert_int_eq(rung_storage_decode(&storage, bytes, ROWS, COLUMNS, back), RUNG_OK);
  for (int64_t i = 0; i < COUNT; i++) {
    const float s = scale[i / COLUMNS * groups + (group ? i % COLUMNS / group : 0)];
    ENSURE(back[i] == s * (float)q[i]);
  }
  if (format.bits == 8) ck_assert_int_eq(memcmp(bytes, q, COUNT), 0);
  free(bytes);
}
END_TEST

/* 3 bits: q = 1, 2, 3, -3, -1 is 001 010 011 101 111, the first in the lowest bits. */
START_TEST(codes_are_packed_from_the_lowest_bit_on) {
  const rung_storage storage = {.format = RUNG_STORAGE_INT3};
  const float weight[] = {1, 2, 3, -3, -1};
  rung_storage_layout layout;
  uint8_t *bytes = encoded(&storage, weight, 1, 5, &layout);
  ck_assert_uint_eq(layout.code_bytes, 2);
  ck_assert_int_eq(bytes[0] | bytes[1] << 8, 1 | 2 << 3 | 3 << 6 | 5 << 9 | 7 << 12);
  free(bytes);
}
END_TEST

/* ---- Against bitsandbytes --------------------------------------------------------------------------------------- */

START_TEST(the_dynamic_maps_are_those_of_bitsandbytes) {
  static bitsandbytes data;
  rung_dynamic_map map;
  bitsandbytes_read(&data);
  rung_dynamic_map_make(&map, _i);
  for (int i = 0; i < 256; i++)
    ck_assert_msg(map.value[i] == data.map[_i][i], "value %d: %.9g, bitsandbytes %.9g", i, (double)map.value[i],
                  (double)data.map[_i][i]);
}
END_TEST

/* Around every bound, where the search has to be right. The second number of a block gives it the scale 1. */
START_TEST(a_dynamic_code_is_the_nearest_the_lower_on_a_tie) {
  rung_dynamic_map map;
  rung_dynamic_map_make(&map, _i);
  for (int i = 0; i < 255; i++) {
    ENSURE(map.value[i] < map.value[i + 1] && map.value[i] < map.bound[i] && map.bound[i] < map.value[i + 1]);
    float absmax, x[5] = {map.value[i], map.bound[i], nextafterf(map.bound[i], 2), map.value[i + 1], 1};
    uint8_t code[5];
    rung_dynamic_encode(&map, x, 5, code, &absmax);
    ck_assert_msg(code[0] == i && code[1] == i && code[2] == i + 1 && code[3] == i + 1 && code[4] == 255, "%d", i);
  }
}
END_TEST

static void nf4_numbers(float *weight) {
  bnb_numbers(weight, BNB_NF4, 1);
  for (int i = 0; i < BNB_NF4; i++) weight[i] *= (float)(1 + i / 64 % 7);
}

START_TEST(nf4_has_the_codes_and_scales_of_bitsandbytes) {
  static bitsandbytes data;
  static float weight[BNB_NF4];
  rung_storage_layout layout;
  bitsandbytes_read(&data);
  nf4_numbers(weight);
  const rung_storage storage = {.format = RUNG_STORAGE_NF4};
  uint8_t *bytes = encoded(&storage, weight, 1, BNB_NF4, &layout);
  ck_assert_uint_eq(layout.code_bytes, sizeof data.nf4);
  /* It codes the number behind the last one, which is none, as 0: 7. */
  ck_assert_int_eq(memcmp(bytes, data.nf4, sizeof data.nf4 - 1), 0);
  ck_assert_int_eq(bytes[layout.code_bytes - 1] >> 4, data.nf4[layout.code_bytes - 1] >> 4);
  ck_assert_int_eq(memcmp(bytes + layout.code_bytes, data.nf4_absmax, sizeof data.nf4_absmax), 0);
  free(bytes);
}
END_TEST

/* Its mean is a float32 sum, ours a float64 one: a few units in the last place. */
START_TEST(double_quantization_has_the_codes_and_scales_of_bitsandbytes) {
  static bitsandbytes data;
  static float weight[BNB_NF4], back[BNB_NF4];
  rung_storage_layout layout;
  bitsandbytes_read(&data);
  nf4_numbers(weight);
  const rung_storage storage = {.format = RUNG_STORAGE_NF4_DOUBLE};
  uint8_t *bytes = encoded(&storage, weight, 1, BNB_NF4, &layout);
  float outer[BNB_OUTER], mean;
  ck_assert_int_eq(memcmp(bytes + layout.code_bytes, data.nf4_scale, sizeof data.nf4_scale), 0);
  memcpy(outer, bytes + layout.code_bytes + BNB_BLOCKS, sizeof outer);
  memcpy(&mean, bytes + layout.code_bytes + BNB_BLOCKS + sizeof outer, sizeof mean);
  ck_assert_float_eq_tol(mean, data.nf4_mean, 1e-6f);
  for (int i = 0; i < BNB_OUTER; i++) ck_assert_float_eq_tol(outer[i], data.nf4_outer[i], 1e-6f);
  ck_assert_int_eq(rung_storage_decode(&storage, bytes, 1, BNB_NF4, back), RUNG_OK);
  for (int i = 0; i < BNB_DECODED; i++) ck_assert_float_eq_tol(back[50 * i], data.nf4_decoded[i], 3e-6f);
  free(bytes);
}
END_TEST

/* Its native library rounds to a multiple of 2 / 65535 first. */
START_TEST(dynamic_codes_of_the_native_library_are_those_of_what_it_rounds_to) {
  static bitsandbytes data;
  rung_dynamic_map map;
  float x[BNB_NATIVE], absmax[BNB_NATIVE / RUNG_DYNAMIC_BLOCK + 1];
  uint8_t code[BNB_NATIVE];
  bitsandbytes_read(&data);
  rung_dynamic_map_make(&map, true);
  bnb_numbers(x, BNB_NATIVE, 30);
  for (int i = 0; i < BNB_NATIVE; i++) x[i] = x[i] * x[i] * x[i];
  rung_dynamic_encode(&map, x, BNB_NATIVE, code, absmax);
  int moved = 0;
  for (int i = 0; i < BNB_NATIVE; i++) {
    const float scaled = x[i] * (1 / absmax[i / RUNG_DYNAMIC_BLOCK]);
    const int place = (int)((scaled + 1) * 0.5f * 65535 + 0.5f);
    float rounded[2] = {-1 + 2.0f * (float)place / 65535, 1}, one;
    uint8_t expected[2];
    rung_dynamic_encode(&map, rounded, 2, expected, &one);
    ck_assert_int_eq(data.native[i], expected[0]);
    moved += code[i] != expected[0];
  }
  ck_assert_int_gt(moved, 0); /* so it is not the nearest code */
}
END_TEST

START_TEST(llm_int8_is_that_of_bitsandbytes) {
  static bitsandbytes data;
  float x[BNB_N * BNB_IN], weight[BNB_OUT * BNB_IN], y[BNB_N * BNB_OUT];
  rung_llm_int8_parts parts;
  bitsandbytes_read(&data);
  bnb_numbers(x, BNB_N * BNB_IN, 20);
  bnb_numbers(weight, BNB_OUT * BNB_IN, 21);
  for (int i = 0; i < BNB_N * BNB_IN; i++) x[i] *= 4;
  for (int i = 0; i < BNB_OUT * BNB_IN; i++) weight[i] /= 8;
  x[1 * BNB_IN + 10] = 7;
  x[3 * BNB_IN + 50] = -6;
  x[4 * BNB_IN + 50] = 20;
  ck_assert_int_eq(rung_llm_int8(x, weight, BNB_N, BNB_IN, BNB_OUT, 0, y, &parts), RUNG_OK);
  ck_assert_int_eq(parts.outlier_count, BNB_OUTLIERS);
  for (int i = 0; i < BNB_OUTLIERS; i++) ck_assert_int_eq(parts.outlier[i], data.outlier[i]);
  ck_assert_int_eq(memcmp(parts.x, data.x, sizeof data.x), 0);
  ck_assert_int_eq(memcmp(parts.weight, data.weight, sizeof data.weight), 0);
  ck_assert_int_eq(memcmp(parts.x_absmax, data.x_absmax, sizeof data.x_absmax), 0);
  ck_assert_int_eq(memcmp(parts.weight_absmax, data.weight_absmax, sizeof data.weight_absmax), 0);
  for (int i = 0; i < BNB_N * BNB_OUT; i++) ck_assert_float_eq_tol(y[i], data.y[i], 1e-5f);
  rung_llm_int8_free(&parts);
}
END_TEST

/* ---- LLM.int8() by itself --------------------------------------------------------------------------------------- */

enum { N = 6, IN = 200, OUT = 33 };

static double worst_error(const float *x, const float *weight, const float *y) {
  double worst = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < OUT; j++) {
      double sum = 0;
      for (int k = 0; k < IN; k++) sum += (double)x[i * IN + k] * (double)weight[j * IN + k];
      worst = fmax(worst, fabs(sum - (double)y[i * OUT + j]));
    }
  return worst;
}

/* What the decomposition is for: one column of large values costs the others their precision. */
START_TEST(outlier_columns_do_not_cost_the_others_their_precision) {
  float x[N * IN], weight[OUT * IN], y[N * OUT];
  bnb_numbers(x, N * IN, 50);
  bnb_numbers(weight, OUT * IN, 51);
  ck_assert_int_eq(rung_llm_int8(x, weight, N, IN, OUT, 0, y, NULL), RUNG_OK);
  const double calm = worst_error(x, weight, y);
  for (int i = 0; i < N; i++) x[i * IN + 7] = 60 + (float)i;
  ck_assert_int_eq(rung_llm_int8(x, weight, N, IN, OUT, 0, y, NULL), RUNG_OK);
  const double decomposed = worst_error(x, weight, y);
  ck_assert_int_eq(rung_llm_int8(x, weight, N, IN, OUT, 1000, y, NULL), RUNG_OK);
  const double whole = worst_error(x, weight, y);
  ck_assert_msg(decomposed < 2 * calm + 0.02 && whole > 10 * decomposed, "%g %g %g", calm, decomposed, whole);
}
END_TEST

START_TEST(llm_int8_refuses_what_f16_does_not_hold) {
  float x[2] = {1, 70000}, weight[2] = {1, INFINITY}, y;
  ck_assert_int_eq(rung_llm_int8(x, weight, 1, 2, 1, 0, &y, NULL), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "llm_int8: x 1 is 70000, expected a finite number that f16 holds");
  x[1] = 0;
  ck_assert_int_eq(rung_llm_int8(x, weight, 1, 2, 1, 0, &y, NULL), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "llm_int8: weight 1 is inf, expected a finite number that f16 holds");
  ck_assert_int_eq(rung_llm_int8(x, weight, 1, 2, 1, NAN, &y, NULL), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_llm_int8(x, weight, 1, 200000, 1, 0, &y, NULL), RUNG_ERROR_SHAPE);
  ck_assert_int_eq(rung_llm_int8(x, weight, 0, 2, 1, 0, &y, NULL), RUNG_ERROR_SHAPE);
}
END_TEST

TEST_MAIN(CASE(names_parse_back), CASE(what_is_no_format_or_weight_is_refused),
          CASES(a_size_counts_codes_and_scales, sizeof sizes / sizeof *sizes),
          CASES(bits_a_weight_are_those_of_the_papers, RUNG_STORAGE_FORMAT_COUNT),
          CASES(what_was_stored_is_stored_again_without_loss, 3 * RUNG_STORAGE_FORMAT_COUNT),
          CASES(errors_are_at_most_half_a_step, RUNG_STORAGE_FORMAT_COUNT),
          CASES(codes_are_monotone, RUNG_STORAGE_FORMAT_COUNT),
          CASES(blocks_cover_every_weight_once, 3 * RUNG_STORAGE_FORMAT_COUNT),
          CASES(rounding_is_encoding_and_decoding, RUNG_STORAGE_FORMAT_COUNT),
          CASES(zeros_stay_zeros, RUNG_STORAGE_FORMAT_COUNT),
          CASES(magnitudes_at_the_ends_of_f32_are_kept_in_order, RUNG_STORAGE_FORMAT_COUNT),
          CASES(floats_are_those_of_core, 3), CASES(fp8_reaches_its_largest_value, 2),
          CASES(integers_are_those_of_a_scheme, 14), CASE(codes_are_packed_from_the_lowest_bit_on),
          CASES(the_dynamic_maps_are_those_of_bitsandbytes, 2),
          CASES(a_dynamic_code_is_the_nearest_the_lower_on_a_tie, 2),
          CASE(nf4_has_the_codes_and_scales_of_bitsandbytes),
          CASE(double_quantization_has_the_codes_and_scales_of_bitsandbytes),
          CASE(dynamic_codes_of_the_native_library_are_those_of_what_it_rounds_to),
          CASE(llm_int8_is_that_of_bitsandbytes), CASE(outlier_columns_do_not_cost_the_others_their_precision),
          CASE(llm_int8_refuses_what_f16_does_not_hold))
