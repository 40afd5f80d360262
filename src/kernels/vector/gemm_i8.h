/* What packing, tiles and epilogues of the integer product agree on at this level.
 *
 * Both operands are cut along k into words of 32 bits: four bytes where there is a byte dot product (activations
 * unsigned, weights signed), else two int16, whose products are exact with any bytes. k is padded with zeros to a
 * multiple of 4. `packed` holds panels of panel_columns weight rows, word p of row j at p * panel_columns + j of the
 * panel, and, with byte words, for each group the sum of every row's weights: a signed activation a is fed as a + 128,
 * and 128 times that sum is taken from the bias. */
#ifndef RUNG_GEMM_I8_H
#define RUNG_GEMM_I8_H

#include "gemm_pack.h"
#include "level.h"

#if VW == 16
enum { tile_rows = 12, tile_vectors = 2 };
#elif VW == 8
enum { tile_rows = 6, tile_vectors = 2 };
#elif defined(__aarch64__)
enum { tile_rows = 8, tile_vectors = 2 };
#else
enum { tile_rows = 4, tile_vectors = 2 };
#endif
enum { panel_columns = tile_vectors * VW };
_Static_assert(RUNG_QGEMM_GRAIN % panel_columns == 0 && panel_columns % 8 == 0,
               "a member has whole panels, a panel whole bytes of the mask");

/* Modulo 2^32: on its way an accumulator may leave int32, for it comes back. */
typedef uint32_t vi_modular __attribute__((vector_size(4 * VW), may_alias));

#if defined(__AVX512VNNI__)
typedef int8_t word_element;
ALWAYS_INLINE vi dot(vi sum, vi a, vi w) {
  return vi_dot_bytes(sum, a, w);
}
#else
typedef int16_t word_element;
ALWAYS_INLINE vi dot(vi sum, vi a, vi w) {
  sum = vi_dot_pairs(sum, a, w);
  /* Else GCC adds up the products of several words first, and has no registers for them. */
#if defined(__SSE2__) && !defined(RUNG_PORTABLE)
  __asm__("" : "+v"(sum));
#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)
  __asm__("" : "+w"(sum));
#endif
  return sum;
}
#endif
enum { words_of_4 = sizeof(word_element) }; /* words that four elements of k make */

ALWAYS_INLINE int64_t words_of(int64_t k) {
  return gemm_round_up(k, 4) / 4 * words_of_4;
}
ALWAYS_INLINE int64_t group_count(const rung_qgemm *gemm) {
  return gemm->group ? (gemm->k + gemm->group - 1) / gemm->group : 1;
}
ALWAYS_INLINE int32_t *packed_panel(const rung_qgemm *gemm, int64_t column) {
  return (int32_t *)gemm->packed + column * words_of(gemm->k);
}
/* The sums of group g: [n] rounded up to panel_columns. */
ALWAYS_INLINE int32_t *packed_sums(const rung_qgemm *gemm, int64_t g) {
  int64_t columns = gemm_round_up(gemm->n, RUNG_QGEMM_GRAIN);
  return (int32_t *)gemm->packed + columns * (words_of(gemm->k) + g);
}

#endif
