/* Packing an f32 operand, whatever its representation and orientation, into panels of f32.
 *
 * The operand is seen as `outers` lines (rows of a, columns of b) of `depth` elements along k. A panel holds `width`
 * lines, element p of line i at p * width + i. */
#ifndef RUNG_GEMM_F32_PACK_H
#define RUNG_GEMM_F32_PACK_H

#include "gemm_pack.h"
#include "level.h"

enum { pack_chunk = 64 }; /* elements along k that are dequantized at a time: with gemm_panel_max lines, 8 KiB */

typedef struct pack_source {
  const rung_matrix *matrix;
  bool line_is_row;     /* a line is a stored row, else a stored column */
  int64_t first, lines; /* the lines to pack */
  int64_t begin, depth; /* their part along k */
} pack_source;

/* A panel whose lines are rows of f32. */
ALWAYS_INLINE void panel_from_rows(float *to, const int width, const float *from, int64_t stride, int64_t lines,
                                   int64_t depth) {
  for (int first = 0; first < width; first += VW) {
    const char *row[VW];
    pack_rows(row, from, stride * (int64_t)sizeof(float), first, lines - 1);
    int64_t p = 0;
    for (; p + 4 <= depth; p += 4) {
      vi word[4];
      pack_transpose(word, row, p * (int64_t)sizeof(float));
      for (int q = 0; q < 4; q++) vf_store(to + (p + q) * width + first, (vf)word[q]);
    }
    for (; p < depth; p++) vf_store(to + p * width + first, (vf)pack_word(row, p * (int64_t)sizeof(float), 4));
  }
}

/* A panel whose lines are columns of f32. */
ALWAYS_INLINE void panel_from_columns(float *to, const int width, const float *from, int64_t stride, int64_t lines,
                                      int64_t depth) {
  if (lines >= width) {
    for (int64_t p = 0; p < depth; p++) memcpy(to + p * width, from + p * stride, (size_t)width * sizeof(float));
    return;
  }
  for (int64_t p = 0; p < depth; p++)
    for (int64_t i = 0; i < width; i++) to[p * width + i] = from[p * stride + gemm_min(i, lines - 1)];
}

/* Stored columns begin .. begin + count - 1 of stored row `row` as f32 (eq. 1). */
static void dequantize_row(float *restrict to, const rung_matrix *x, int64_t row, int64_t begin, int64_t count) {
  int64_t end = begin + count, group = x->group ? x->group : end;
  for (int64_t column = begin; column < end;) {
    int64_t g = column / group, next = gemm_min((g + 1) * group, end), at = row * x->stride + column;
    float scale = x->scale[row * x->scale_stride + g];
    int32_t zero_point = x->zero_point ? x->zero_point[row * x->scale_stride + g] : 0;
    const uint8_t *u = (const uint8_t *)x->data + at;
    const int8_t *s = (const int8_t *)x->data + at;
    if (x->type == RUNG_U8)
      for (int64_t i = 0; i < next - column; i++) to[i] = scale * (float)(u[i] - zero_point);
    else
      for (int64_t i = 0; i < next - column; i++) to[i] = scale * (float)(s[i] - zero_point);
    to += next - column;
    column = next;
  }
}

ALWAYS_INLINE void pack_quantized_panel(float *to, const int width, const pack_source *from, int64_t line,
                                        int64_t lines) {
  float stage[gemm_panel_max * pack_chunk] __attribute__((aligned(RUNG_ALIGNMENT)));
  for (int64_t p = 0; p < from->depth; p += pack_chunk) {
    int64_t depth = gemm_min(pack_chunk, from->depth - p);
    if (from->line_is_row) {
      for (int64_t i = 0; i < lines; i++)
        dequantize_row(stage + i * pack_chunk, from->matrix, line + i, from->begin + p, depth);
      panel_from_rows(to + p * width, width, stage, pack_chunk, lines, depth);
    } else {
      for (int64_t i = 0; i < depth; i++)
        dequantize_row(stage + i * width, from->matrix, from->begin + p + i, line, lines);
      panel_from_columns(to + p * width, width, stage, width, lines, depth);
    }
  }
}

/* All panels of `from`, one after the other. In the last one the last line repeats to the full width. */
ALWAYS_INLINE void pack_panels(float *to, const int width, const pack_source *from) {
  _Static_assert(VW <= gemm_slack / 4, "a store runs over by less than a vector");
  const rung_matrix *x = from->matrix;
  for (int64_t i = 0; i < from->lines; i += width, to += width * from->depth) {
    int64_t line = from->first + i, lines = gemm_min(width, from->lines - i);
    const float *data = x->data;
    if (x->type != RUNG_F32)
      pack_quantized_panel(to, width, from, line, lines);
    else if (from->line_is_row)
      panel_from_rows(to, width, data + line * x->stride + from->begin, x->stride, lines, from->depth);
    else
      panel_from_columns(to, width, data + from->begin * x->stride + line, x->stride, lines, from->depth);
  }
}

#endif
