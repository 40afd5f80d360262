/* 16 lanes of int32 to 16 bytes and back. What compilers make of __builtin_convertvector here goes byte by byte (GCC
 * 12), so each level says it. */
#ifndef RUNG_VECTOR_BYTES_H
#define RUNG_VECTOR_BYTES_H

#include "vector/lanes.h"

typedef struct lanes_int {
  vi part[PARTS];
} lanes_int;

#if defined(__AVX512F__)

static inline void bytes_store(void *bytes, lanes_int q) {
  _mm_storeu_si128((__m128i_u *)bytes, _mm512_cvtepi32_epi8((__m512i)q.part[0]));
}
static inline lanes_int bytes_load_u8(const void *bytes) {
  return (lanes_int){{(vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)bytes))}};
}
static inline lanes_int bytes_load_i8(const void *bytes) {
  return (lanes_int){{(vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)bytes))}};
}

#elif defined(__AVX2__)

static inline void bytes_store(void *bytes, lanes_int q) {
  const __m256i low_byte = _mm256_set1_epi32(255);
  __m256i a = _mm256_and_si256((__m256i)q.part[0], low_byte), b = _mm256_and_si256((__m256i)q.part[1], low_byte);
  __m256i pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8); /* 0..7, 8..15 */
  __m128i all = _mm_packus_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  _mm_storeu_si128((__m128i_u *)bytes, all);
}
static inline lanes_int bytes_load_u8(const void *bytes) {
  __m128i all = _mm_loadu_si128((const __m128i_u *)bytes);
  return (lanes_int){{(vi)_mm256_cvtepu8_epi32(all), (vi)_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(all, all))}};
}
static inline lanes_int bytes_load_i8(const void *bytes) {
  __m128i all = _mm_loadu_si128((const __m128i_u *)bytes);
  return (lanes_int){{(vi)_mm256_cvtepi8_epi32(all), (vi)_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(all, all))}};
}

#elif defined(__SSE2__) && !defined(RUNG_PORTABLE)

static inline void bytes_store(void *bytes, lanes_int q) {
  __m128i part[PARTS];
  for (int p = 0; p < PARTS; p++) part[p] = _mm_and_si128((__m128i)q.part[p], _mm_set1_epi32(255));
  __m128i low = _mm_packs_epi32(part[0], part[1]), high = _mm_packs_epi32(part[2], part[3]);
  _mm_storeu_si128((__m128i_u *)bytes, _mm_packus_epi16(low, high));
}
/* Each byte put into the top byte of its lane, to be shifted down with or without its sign. */
static inline lanes_int bytes_load_high(const void *bytes) {
  __m128i all = _mm_loadu_si128((const __m128i_u *)bytes), zero = _mm_setzero_si128();
  __m128i low = _mm_unpacklo_epi8(zero, all), high = _mm_unpackhi_epi8(zero, all);
  return (lanes_int){{(vi)_mm_unpacklo_epi16(zero, low), (vi)_mm_unpackhi_epi16(zero, low),
                      (vi)_mm_unpacklo_epi16(zero, high), (vi)_mm_unpackhi_epi16(zero, high)}};
}
static inline lanes_int bytes_load_u8(const void *bytes) {
  lanes_int q = bytes_load_high(bytes);
  for (int p = 0; p < PARTS; p++) q.part[p] = (vi)_mm_srli_epi32((__m128i)q.part[p], 24);
  return q;
}
static inline lanes_int bytes_load_i8(const void *bytes) {
  lanes_int q = bytes_load_high(bytes);
  for (int p = 0; p < PARTS; p++) q.part[p] = (vi)_mm_srai_epi32((__m128i)q.part[p], 24);
  return q;
}

#else

static inline void bytes_store(void *bytes, lanes_int q) {
  uint8_t *b = bytes;
  for (int l = 0; l < LANES; l++) b[l] = (uint8_t)q.part[l / VW][l % VW];
}
static inline lanes_int bytes_load_u8(const void *bytes) {
  const uint8_t *b = bytes;
  lanes_int q = {{{0}}}; /* GCC 12 does not see that the loop sets all of it */
  for (int l = 0; l < LANES; l++) q.part[l / VW][l % VW] = b[l];
  return q;
}
static inline lanes_int bytes_load_i8(const void *bytes) {
  const int8_t *b = bytes;
  lanes_int q = {{{0}}}; /* GCC 12 does not see that the loop sets all of it */
  for (int l = 0; l < LANES; l++) q.part[l / VW][l % VW] = b[l];
  return q;
}

#endif

/* 16 bits as two bytes, the low one first, in one store: clang 14 takes a mask apart by way of memory. */
static inline void bits_store(uint8_t *bytes, uint32_t bits) {
  uint16_t both = (uint16_t)bits;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  both = __builtin_bswap16(both);
#endif
  memcpy(bytes, &both, sizeof both);
}

#endif
