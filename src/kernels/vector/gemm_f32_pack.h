/* Packing an f32 operand, whatever its representation and orientation, into panels of f32.
 *
 * The operand is seen as `outers` lines (rows of a, columns of b) of `depth` elements along k. A panel holds `width`
 * lines, element p of line i at p * width + i. */
#ifndef RUNG_GEMM_F32_PACK_H
#define RUNG_GEMM_F32_PACK_H

#include "gemm_pack.h"
#include "level.h"
#include "vector/bytes.h"

enum {
  pack_chunk = 64, /* elements along k that are dequantized at a time: with gemm_panel_max lines, 8 KiB */
  pack_rows_at_once = 32
};

typedef struct pack_source {
  const rung_matrix *matrix;
  bool line_is_row;     /* a line is a stored row, else a stored column */
  int64_t first, lines; /* the lines to pack */
  int64_t begin, depth; /* their part along k */
} pack_source;

/* A panel whose lines are rows of f32: squares of VW words, so that a cache line is read once, all of it, whatever the
 * rows' distance. */
ALWAYS_INLINE void panel_from_rows(float *to, const int width, const float *from, int64_t stride, int64_t lines,
                                   int64_t depth) {
  for (int first = 0; first < width; first += VW) {
    const char *row[VW];
    pack_rows(row, from, stride * (int64_t)sizeof(float), first, lines - 1);
    int64_t p = 0;
    for (; p + VW <= depth; p += VW) {
      vi word[VW];
      UNROLL for (int l = 0; l < VW; l++) word[l] = vi_load((const int32_t *)(const void *)row[l] + p);
      vi_transpose(word);
      UNROLL for (int l = 0; l < VW; l++) vf_store(to + (p + l) * width + first, (vf)word[l]);
    }
    for (; p < depth; p++) vf_store(to + p * width + first, (vf)pack_word(row, p * (int64_t)sizeof(float), 4));
  }
}

/* Fewer lines than the panel's width: the last one again in the place of those that lack. */
ALWAYS_INLINE void repeat_last(float *to, const int width, int64_t lines) {
  for (int64_t i = lines; i < width; i++) to[i] = to[lines - 1];
}

/* Panels whose lines are columns of f32, some stored rows at a time, so that what they lie in stays in the TLB. */
ALWAYS_INLINE void panels_from_columns(float *to, const int width, const float *from, int64_t stride, int64_t lines,
                                       int64_t depth) {
  for (int64_t first = 0; first < depth; first += pack_rows_at_once) {
    int64_t end = gemm_min(first + pack_rows_at_once, depth);
    float *panel = to;
    int64_t i = 0;
    for (; i + width <= lines; i += width, panel += width * depth)
      for (int64_t p = first; p < end; p++)
        memcpy(panel + p * width, from + p * stride + i, (size_t)width * sizeof(float));
    for (int64_t p = first; i < lines && p < end; p++) {
      memcpy(panel + p * width, from + p * stride + i, (size_t)(lines - i) * sizeof(float));
      repeat_last(panel + p * width, width, lines - i);
    }
  }
}

/* `count` integers as f32 (eq. 1), all with one scale. */
ALWAYS_INLINE void dequantize(float *to, const uint8_t *q, bool is_signed, int64_t count, float scale,
                              int32_t zero_point) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    lanes_int x = is_signed ? bytes_load_i8(q + i) : bytes_load_u8(q + i);
    UNROLL for (int l = 0; l < PARTS; l++)
        vf_store(to + i + l * VW, vf_set(scale) * vi_to_float(x.part[l] - vi_set(zero_point)));
  }
  for (; i < count; i++) to[i] = scale * (float)((is_signed ? (int8_t)q[i] : q[i]) - zero_point);
}

/* Stored columns begin .. begin + count - 1 of stored row `row` as f32, by the scale of group g. */
ALWAYS_INLINE void dequantize_group(float *to, const rung_matrix *x, int64_t row, int64_t g, int64_t begin,
                                    int64_t count) {
  int64_t at = row * x->scale_stride + g;
  dequantize(to, (const uint8_t *)x->data + row * x->stride + begin, x->type == RUNG_I8, count, x->scale[at],
             x->zero_point ? x->zero_point[at] : 0);
}

ALWAYS_INLINE void dequantize_row(float *to, const rung_matrix *x, int64_t row, int64_t begin, int64_t count) {
  if (!x->group) { /* no division */
    dequantize_group(to, x, row, 0, begin, count);
    return;
  }
  for (int64_t column = begin, end = begin + count, next; column < end; to += next - column, column = next) {
    next = gemm_min((column / x->group + 1) * x->group, end);
    dequantize_group(to, x, row, column / x->group, column, next - column);
  }
}

ALWAYS_INLINE void quantized_panel_from_rows(float *to, const int width, const pack_source *from, int64_t line,
                                             int64_t lines) {
  float stage[gemm_panel_max * pack_chunk] __attribute__((aligned(RUNG_ALIGNMENT)));
  for (int64_t p = 0; p < from->depth; p += pack_chunk) {
    int64_t depth = gemm_min(pack_chunk, from->depth - p);
    for (int64_t i = 0; i < lines; i++)
      dequantize_row(stage + i * pack_chunk, from->matrix, line + i, from->begin + p, depth);
    panel_from_rows(to + p * width, width, stage, pack_chunk, lines, depth);
  }
}

ALWAYS_INLINE void quantized_panel_from_columns(float *to, const int width, const pack_source *from, int64_t line,
                                                int64_t lines) {
  for (int64_t p = 0; p < from->depth; p++, to += width) {
    dequantize_row(to, from->matrix, from->begin + p, line, lines);
    repeat_last(to, width, lines);
  }
}

/* All panels of `from`, one after the other. In the last one the last line repeats to the full width. */
ALWAYS_INLINE void pack_panels(float *to, const int width, const pack_source *from) {
  _Static_assert(VW <= gemm_slack / 4, "a store runs over by less than a vector");
  const rung_matrix *x = from->matrix;
  const float *data = x->data;
  if (x->type == RUNG_F32 && !from->line_is_row) {
    panels_from_columns(to, width, data + from->begin * x->stride + from->first, x->stride, from->lines, from->depth);
    return;
  }
  for (int64_t i = 0; i < from->lines; i += width, to += width * from->depth) {
    int64_t line = from->first + i, lines = gemm_min(width, from->lines - i);
    if (x->type == RUNG_F32)
      panel_from_rows(to, width, data + line * x->stride + from->begin, x->stride, lines, from->depth);
    else if (from->line_is_row)
      quantized_panel_from_rows(to, width, from, line, lines);
    else
      quantized_panel_from_columns(to, width, from, line, lines);
  }
}

#endif
