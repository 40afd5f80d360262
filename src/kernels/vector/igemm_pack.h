/* Packing the operands of the integer product with f32 results. Along k both are cut into words of 32 bits: four bytes
 * where there is a byte dot product, else two int16, whose products are exact with any bytes. A panel holds `width`
 * lines (rows of a, columns of b), word p of line i at p * width + i. a is signed. b is made unsigned, an i8 code as
 * code + 128 with a zero point 128 higher, because the byte dot product wants one operand of each kind. Past k, a is 0
 * and b anything. */
#ifndef RUNG_IGEMM_PACK_H
#define RUNG_IGEMM_PACK_H

#include "gemm_pack.h"
#include "level.h"

#if defined(__AVX512VNNI__)
enum { words_of_4 = 1 }; /* words that four elements of k make */
ALWAYS_INLINE vi dot(vi sum, vi a, vi b) {
  return vi_dot_bytes(sum, b, a);
}
#else
enum { words_of_4 = 2 };
ALWAYS_INLINE vi dot(vi sum, vi a, vi b) {
  return vi_dot_pairs(sum, a, b);
}
#endif

ALWAYS_INLINE int64_t words_of(int64_t k) {
  return gemm_round_up(k, 4) / 4 * words_of_4;
}

/* Stores the four bytes in each lane of x, signed or not, as one word or two, the second `width` words later. */
ALWAYS_INLINE void store_words(int32_t *to, const int width, vi x, const bool is_signed) {
#if defined(__AVX512VNNI__)
  (void)width, (void)is_signed;
  vi_store(to, x);
#else
  const vi keep = vi_set(is_signed ? 0xffff : 0xff);
  vi b0 = x << 24 >> 24 & keep, b1 = (x << 16 >> 24 & keep) << 16;
  vi b2 = x << 8 >> 24 & keep, b3 = (x >> 24 & keep) << 16;
  vi_store(to, b0 | b1);
  vi_store(to + width, b2 | b3);
#endif
}

typedef uint8_t vector_bytes __attribute__((vector_size(VW)));

/* The first `count` of VW bytes, one a lane, the others 0. */
ALWAYS_INLINE vi load_bytes(const uint8_t *from, int64_t count) {
#if VW == 16
  __m128i bytes = count >= VW ? _mm_loadu_si128((const __m128i_u *)from)
                              : _mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from);
  return (vi)_mm512_cvtepu8_epi32(bytes);
#else
  vector_bytes bytes = {0};
  if (count >= VW)
    memcpy(&bytes, from, sizeof bytes);
  else
    memcpy(&bytes, from, (size_t)count);
  return __builtin_convertvector(bytes, vi);
#endif
}

/* Four stored rows of lines side by side, the first at `from`: byte r of each lane is row r's. Rows past `last` repeat
 * it. */
ALWAYS_INLINE vi load_rows(const uint8_t *from, int64_t stride, int64_t last, int64_t count) {
  if (count <= 0) return vi_set(0);
  vi r0 = load_bytes(from, count), r1 = load_bytes(from + gemm_min(1, last) * stride, count);
  vi r2 = load_bytes(from + gemm_min(2, last) * stride, count);
  vi r3 = load_bytes(from + gemm_min(3, last) * stride, count);
  return r0 | r1 << 8 | r2 << 16 | r3 << 24;
}

/* The panel of `columns` (<= width) stored columns of b at `from`; `flip` is 0x80 in each byte of an i8 operand. */
ALWAYS_INLINE void pack_b_lines(int32_t *to, const int width, const uint8_t *from, int64_t stride, int64_t k,
                                int64_t columns, vi flip) {
  for (int64_t p = 0; p < k; p += 4, to += words_of_4 * width)
    for (int v = 0; v < width; v += VW)
      store_words(to + v, width, load_rows(from + p * stride + v, stride, k - 1 - p, columns - v) ^ flip, false);
}

ALWAYS_INLINE void pack_b(int32_t *to, const int width, const rung_igemm *gemm, int64_t column, int64_t columns) {
  const uint8_t *from = (const uint8_t *)gemm->b + column;
  vi flip = vi_set(gemm->b_type == RUNG_I8 ? (int32_t)0x80808080 : 0);
  if (columns >= width)
    pack_b_lines(to, width, from, gemm->b_stride, gemm->k, width, flip);
  else
    pack_b_lines(to, width, from, gemm->b_stride, gemm->k, columns, flip);
}

/* The sums of a's lines from first on, of which `words` pairs or quads are packed at `a`. */
ALWAYS_INLINE vi line_sums(const int32_t *a, const int width, int64_t words) {
  const vi ones = vi_set(words_of_4 == 1 ? 0x01010101 : 0x00010001);
  vi sum = vi_set(0);
  for (int64_t p = 0; p < words; p++, a += width) sum = dot(sum, vi_load(a), ones);
  return sum;
}

/* VW lines of a's panel that are stored rows. */
ALWAYS_INLINE void pack_a_rows(int32_t *to, const int width, const int8_t *from, int64_t stride, int64_t first,
                               int64_t rows, int64_t k) {
  const char *row[VW];
  pack_rows(row, from, stride, first, rows - 1);
  int64_t p = 0;
  for (; p + 16 <= k; p += 16) {
    vi word[4];
    pack_transpose(word, row, p);
    for (int q = 0; q < 4; q++, to += words_of_4 * width) store_words(to, width, word[q], true);
  }
  for (; p < k; p += 4, to += words_of_4 * width) store_words(to, width, pack_word(row, p, gemm_min(4, k - p)), true);
}

/* VW lines of a's panel that are stored columns, of which `count` exist. */
ALWAYS_INLINE void pack_a_columns(int32_t *to, const int width, const uint8_t *from, int64_t stride, int64_t count,
                                  int64_t k) {
  int64_t p = 0;
  for (; p + 4 <= k; p += 4, to += words_of_4 * width)
    store_words(to, width, load_rows(from + p * stride, stride, 3, count), true);
  const vi left = vi_set((1 << 8 * (k - p)) - 1);
  if (p < k) store_words(to, width, load_rows(from + p * stride, stride, k - 1 - p, count) & left, true);
}

/* A panel of `rows` (<= width) rows of a from `row` on; start[i] = -zero_point times the sum of line i. */
ALWAYS_INLINE void pack_a(int32_t *to, const int width, const rung_igemm *gemm, int64_t row, int64_t rows,
                          int32_t start[gemm_panel_max]) {
  const int32_t zero_point = gemm->b_zero_point + (gemm->b_type == RUNG_I8 ? 128 : 0);
  for (int v = 0; v < width; v += VW) {
    if (gemm->a_transposed)
      pack_a_columns(to + v, width, (const uint8_t *)gemm->a + row + v, gemm->a_stride, gemm->m - row - v, gemm->k);
    else
      pack_a_rows(to + v, width, gemm->a + row * gemm->a_stride, gemm->a_stride, v, rows, gemm->k);
    vi_store(start + v, vi_set(-zero_point) * line_sums(to + v, width, words_of(gemm->k)));
  }
}

#endif
