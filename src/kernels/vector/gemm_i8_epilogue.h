/* What becomes of a tile of sums: observed range, requantize, mask, store. */
#ifndef RUNG_GEMM_I8_EPILOGUE_H
#define RUNG_GEMM_I8_EPILOGUE_H

#include "gemm_i8.h"
#include "gemm_i8_requantize.h"

/* The columns that a panel of weights makes, and what is one number a column. Lanes past `columns` have scale 0. */
typedef struct weight_panel {
  int64_t column, columns;
  int vectors;               /* that hold them */
  bool near;                 /* the output is 8 bits, had from `near_scale` */
  const int32_t *bias;       /* [groups, panel_columns] */
  const int32_t *multiplier; /* likewise; NULL where accumulators are the output */
  const int32_t *shift;      /* [panel_columns] */
  near_scales near_scale[tile_vectors];
  wide bias64[tile_vectors]; /* groups only */
  int32_t least[panel_columns], most[panel_columns];
} weight_panel;

/* Rows row .. row + rows - 1 of y. */
typedef struct tile_place {
  int64_t row;
  int rows;
} tile_place;

ALWAYS_INLINE int64_t element_size(const rung_qgemm *gemm) {
  return gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 ? 1 : 4;
}

ALWAYS_INLINE char *output_at(const rung_qgemm *gemm, const weight_panel *panel, int64_t row) {
  return (char *)gemm->y + (row * gemm->y_stride + panel->column) * element_size(gemm);
}

ALWAYS_INLINE void observe(weight_panel *panel, const int rows, const int vectors, vi (*sum)[tile_vectors]) {
  UNROLL for (int j = 0; j < vectors; j++) {
    vi least = vi_load(panel->least + j * VW), most = vi_load(panel->most + j * VW);
    UNROLL for (int i = 0; i < rows; i++) {
      least = vi_min(least, sum[i][j]);
      most = vi_max(most, sum[i][j]);
    }
    vi_store(panel->least + j * VW, least);
    vi_store(panel->most + j * VW, most);
  }
}

/* The low bytes of the lanes of a panel. */
ALWAYS_INLINE void store_bytes(char *y, const vi *r) {
#if defined(__AVX512F__)
  for (int j = 0; j < tile_vectors; j++)
    _mm_storeu_si128((__m128i_u *)(y + j * VW), _mm512_cvtepi32_epi8((__m512i)r[j]));
#elif defined(__AVX2__)
  const vi low = vi_set(255);
  __m256i pairs = _mm256_packus_epi32((__m256i)(r[0] & low), (__m256i)(r[1] & low));
  pairs = _mm256_permute4x64_epi64(pairs, 0xd8); /* lanes 0 .. 7, 8 .. 15 */
  __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  _mm_storeu_si128((__m128i_u *)y, bytes);
#elif defined(__SSE2__) && !defined(RUNG_PORTABLE)
  const vi low = vi_set(255);
  __m128i pairs = _mm_packs_epi32((__m128i)(r[0] & low), (__m128i)(r[1] & low));
  _mm_storel_epi64((__m128i_u *)y, _mm_packus_epi16(pairs, pairs));
#else
  for (int l = 0; l < panel_columns; l++) y[l] = (char)r[l / VW][l % VW];
#endif
}

ALWAYS_INLINE void store_words(const weight_panel *panel, int32_t *y, const vi *r) {
  UNROLL for (int j = 0; j < tile_vectors; j++) {
    int64_t count = panel->columns - j * VW;
    if (count >= VW)
      vi_store(y + j * VW, r[j]);
    else if (count > 0)
      vf_store_part((float *)(y + j * VW), (vf)r[j], count);
  }
}

/* A row of y: as many of the panel's lanes as there are columns. */
ALWAYS_INLINE void store_row(const rung_qgemm *gemm, const weight_panel *panel, char *y, const vi *r) {
  char line[panel_columns];
  if (gemm->epilogue != RUNG_EPILOGUE_REQUANTIZE_8)
    store_words(panel, (int32_t *)y, r);
  else if (panel->columns == panel_columns)
    store_bytes(y, r);
  else {
    store_bytes(line, r);
    memcpy(y, line, (size_t)panel->columns);
  }
}

ALWAYS_INLINE void store_mask(const rung_qgemm *gemm, const weight_panel *panel, int64_t row, uint32_t bits) {
  uint8_t *mask = gemm->mask + row * gemm->mask_stride + panel->column / 8;
  bits &= (uint32_t)((UINT64_C(1) << panel->columns) - 1);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (panel->columns == panel_columns) {
    memcpy(mask, &bits, panel_columns / 8);
    return;
  }
#endif
  for (int64_t j = 0; j < panel->columns; j += 8) mask[j / 8] = (uint8_t)(bits >> j);
}

/* eq. 8 on sums in registers. */
ALWAYS_INLINE void finish_near(const rung_qgemm *gemm, const weight_panel *panel, int64_t row, const int rows,
                               const int vectors, vi (*sum)[tile_vectors]) {
  const vi qmin = vi_set(gemm->qmin), qmax = vi_set(gemm->qmax);
  const vi positive = vi_set(gemm->mask_positive ? 1 : INT32_MIN);
  char *y = output_at(gemm, panel, row);
  UNROLL for (int i = 0; i < rows; i++, y += gemm->y_stride) {
    vi r[tile_vectors] = {{0}}, clamped[tile_vectors] = {{0}};
    UNROLL for (int j = 0; j < vectors; j++) {
      r[j] = requantize_near(sum[i][j], &panel->near_scale[j]);
      clamped[j] = vi_min(vi_max(r[j], qmin), qmax);
    }
    store_row(gemm, panel, y, clamped);
    if (!gemm->mask) continue;
    uint32_t bits = 0;
    UNROLL for (int j = 0; j < vectors; j++) bits |= bits_kept(r[j], clamped[j], sum[i][j], positive) << j * VW;
    store_mask(gemm, panel, row + i, bits);
  }
}

/* The numerator of vector j of a row, from its sum, or from its sums over groups; *positive tells its sign. */
ALWAYS_INLINE wide numerator(const weight_panel *panel, const int32_t *acc, const wide *sums, int j, vi *positive) {
  if (sums) {
    *positive = wide_narrow(sums[j].half[0] > 0, sums[j].half[1] > 0);
    return sums[j];
  }
  vi sum = vi_load(acc + j * VW);
  *positive = sum > 0;
  return wide_product(sum, vi_load(panel->multiplier + j * VW));
}

/* eq. 33 on the same as finish_far: the sign, 1 of 0. */
static void finish_binary(const rung_qgemm *gemm, const weight_panel *panel, tile_place at, const int32_t *acc,
                          const wide *sums) {
  for (int i = 0; i < at.rows; i++) {
    vi r[tile_vectors] = {{0}};
    for (int j = 0; j < panel->vectors; j++) {
      vi sign;
      if (sums)
        sign = wide_narrow(sums[i * tile_vectors + j].half[0] < 0, sums[i * tile_vectors + j].half[1] < 0);
      else
        sign = vi_load(acc + i * panel_columns + j * VW) < 0;
      r[j] = sign | vi_set(1);
    }
    store_row(gemm, panel, output_at(gemm, panel, at.row + i), r);
  }
}

/* eq. 8 on `acc` [rows, panel_columns], or eq. 9 on `sums` [rows, tile_vectors] where there are groups. */
static void finish_far(const rung_qgemm *gemm, const weight_panel *panel, tile_place at, const int32_t *acc,
                       const wide *sums) {
  if (gemm->binary) {
    finish_binary(gemm, panel, at, acc, sums);
    return;
  }
  bool bytes = gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8;
  int64_t z = bytes ? gemm->zero_point : 0;
  far_range range = {bytes ? gemm->qmin - z : INT32_MIN, bytes ? gemm->qmax - z : INT32_MAX};
  wide shift[tile_vectors];
  for (int j = 0; j < tile_vectors; j++) shift[j] = wide_shifts(vi_load(panel->shift + j * VW));
  for (int i = 0; i < at.rows; i++) {
    vi r[tile_vectors] = {{0}};
    uint32_t bits = 0;
    for (int j = 0; j < panel->vectors; j++) {
      vi positive, inside;
      const int32_t *own = sums ? NULL : acc + i * panel_columns;
      wide x = numerator(panel, own, sums ? sums + i * tile_vectors : NULL, j, &positive);
      r[j] = requantize_far(x, &shift[j], range, &inside) + (int32_t)z;
      if (gemm->mask_positive) inside &= positive;
      bits |= vi_bits(inside) << j * VW;
    }
    store_row(gemm, panel, output_at(gemm, panel, at.row + i), r);
    if (bytes && gemm->mask) store_mask(gemm, panel, at.row + i, bits);
  }
}

static void store_accumulators(const rung_qgemm *gemm, const weight_panel *panel, tile_place at, const int32_t *acc) {
  for (int i = 0; i < at.rows; i++, acc += panel_columns) {
    const vi line[tile_vectors] = {vi_load(acc), vi_load(acc + (panel->vectors - 1) * VW)};
    store_words(panel, (int32_t *)output_at(gemm, panel, at.row + i), line);
  }
}

#endif
