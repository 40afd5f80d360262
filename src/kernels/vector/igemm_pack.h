/* Packing the operands of the integer product with f32 results. Along k both are cut into words of 32 bits: four bytes
 * where there is a byte dot product, else two int16, whose products are exact with any bytes. A panel holds `width`
 * lines (rows of a, columns of b), word p of line i at p * width + i. a is signed, and 0 past k. b is made unsigned, an
 * i8 code as code + 128 with a zero point 128 higher, because the byte dot product wants one operand of each kind. */
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

/* The first `count` of VW bytes, one a lane, the others 0. What GCC 12 makes of __builtin_convertvector goes byte by
 * byte. */
ALWAYS_INLINE vi load_bytes(const uint8_t *from, int64_t count) {
  if (count <= 0) return vi_set(0);
#if VW == 16
  if (count >= VW) return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)from));
  return (vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from));
#else
  uint8_t few[VW] = {0};
  if (count < VW) {
    for (int64_t i = 0; i < count; i++) few[i] = from[i];
    from = few;
  }
#if VW == 8
  return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)from));
#elif defined(__SSE2__) && !defined(RUNG_PORTABLE)
  int32_t four;
  memcpy(&four, from, sizeof four);
  __m128i zero = _mm_setzero_si128(), pairs = _mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero);
  return (vi)_mm_unpacklo_epi16(pairs, zero);
#else
  return (vi){from[0], from[1], from[2], from[3]};
#endif
#endif
}

/* Where the byte is in a word that lies `place`-th in memory. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SHIFT_OF_BYTE(place) (24 - 8 * (place))
#else
#define SHIFT_OF_BYTE(place) (8 * (place))
#endif

/* `rows` (1 .. 4) stored rows of lines side by side, the first at `from`: row r is byte r of each lane. The bytes of
 * rows that lack are 0. */
ALWAYS_INLINE vi load_rows(const uint8_t *from, int64_t stride, int64_t rows, int64_t count) {
  vi x = load_bytes(from, count) << SHIFT_OF_BYTE(0);
  if (rows > 1) x |= load_bytes(from + stride, count) << SHIFT_OF_BYTE(1);
  if (rows > 2) x |= load_bytes(from + 2 * stride, count) << SHIFT_OF_BYTE(2);
  if (rows > 3) x |= load_bytes(from + 3 * stride, count) << SHIFT_OF_BYTE(3);
  return x;
}

/* The same of all vectors of a panel; `flip` goes into every byte, 0x80 for the i8 operand that is to be unsigned. */
ALWAYS_INLINE void pack_word_of_columns(int32_t *to, const int width, const uint8_t *from, int64_t stride, int64_t rows,
                                        int64_t count, vi flip, const bool is_signed) {
  for (int v = 0; v < width; v += VW)
    store_words(to + v, width, load_rows(from + v, stride, rows, count - v) ^ flip, is_signed);
}

/* A panel whose lines are stored columns, the first at `from`, of which `count` exist. */
ALWAYS_INLINE void pack_columns(int32_t *to, const int width, const uint8_t *from, int64_t stride, int64_t k,
                                int64_t count, vi flip, const bool is_signed) {
  const int64_t whole = gemm_round_up(width, VW);
  int64_t p = 0;
  for (; p + 4 <= k; p += 4, from += 4 * stride, to += words_of_4 * width)
    if (count >= whole)
      pack_word_of_columns(to, width, from, stride, 4, whole, flip, is_signed);
    else
      pack_word_of_columns(to, width, from, stride, 4, count, flip, is_signed);
  if (p < k) pack_word_of_columns(to, width, from, stride, k - p, count, flip, is_signed);
}

/* A panel whose lines are stored rows, the first at `from`; those past `last` repeat it. */
ALWAYS_INLINE void pack_lines(int32_t *to, const int width, const int8_t *from, int64_t stride, int64_t k,
                              int64_t last) {
  for (int v = 0; v < width; v += VW) {
    const char *row[VW];
    pack_rows(row, from, stride, v, last);
    int32_t *out = to + v;
    int64_t p = 0;
    for (; p + 16 <= k; p += 16) {
      vi word[4];
      pack_transpose(word, row, p);
      for (int q = 0; q < 4; q++, out += words_of_4 * width) store_words(out, width, word[q], true);
    }
    for (; p < k; p += 4, out += words_of_4 * width)
      store_words(out, width, pack_word(row, p, gemm_min(4, k - p)), true);
  }
}

ALWAYS_INLINE void pack_b(int32_t *to, const int width, const rung_igemm *gemm, int64_t column) {
  const uint8_t *from = (const uint8_t *)gemm->b + column;
  const vi flip = vi_set(gemm->b_type == RUNG_I8 ? (int32_t)0x80808080 : 0);
  pack_columns(to, width, from, gemm->b_stride, gemm->k, gemm->n - column, flip, false);
}

/* A panel of rows row .. row + rows - 1 (<= width) of a; start[i] = -zero_point times the sum of line i. */
ALWAYS_INLINE void pack_a(int32_t *to, const int width, const rung_igemm *gemm, int64_t row, int64_t rows,
                          int32_t start[gemm_panel_max]) {
  const vi zero_point = vi_set(gemm->b_zero_point + (gemm->b_type == RUNG_I8 ? 128 : 0));
  const vi ones = vi_set(words_of_4 == 1 ? 0x01010101 : 0x00010001);
  if (gemm->a_transposed)
    pack_columns(to, width, (const uint8_t *)gemm->a + row, gemm->a_stride, gemm->k, gemm->m - row, vi_set(0), true);
  else
    pack_lines(to, width, gemm->a + row * gemm->a_stride, gemm->a_stride, gemm->k, rows - 1);
  for (int v = 0; v < width; v += VW) {
    vi sum = vi_set(0);
    for (int64_t p = 0; p < words_of(gemm->k); p++) sum = dot(sum, vi_load(to + p * width + v), ones);
    vi_store(start + v, -(zero_point * sum));
  }
}

#endif
