/* What all storage formats share: names, the blocks that share a scale, sizes, and the packing of codes and scales. */
#include "storage.h"

#include <math.h>
#include <string.h>

#define STORAGE_ENTRY(format, structure) [format] = &structure,
static const storage_kind *const kinds[RUNG_STORAGE_FORMAT_COUNT] = {STORAGE_LIST(STORAGE_ENTRY)};

const storage_kind *storage_kind_of(rung_storage_format format) {
  return (int)format >= 0 && format < RUNG_STORAGE_FORMAT_COUNT ? kinds[format] : NULL;
}

const char *rung_storage_name(rung_storage_format format) {
  const storage_kind *kind = storage_kind_of(format);
  return kind ? kind->name : "unknown";
}

rung_status rung_storage_parse(const char *name, rung_storage_format *format) {
  char names[128] = "";
  for (int i = 0; i < RUNG_STORAGE_FORMAT_COUNT; i++) {
    if (strcmp(name, kinds[i]->name) == 0) {
      *format = (rung_storage_format)i;
      return RUNG_OK;
    }
    strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
    strncat(names, kinds[i]->name, sizeof names - strlen(names) - 1);
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "format '%s', expected one of %s", name, names);
}

bool rung_storage_takes_granularity(rung_storage_format format) {
  const storage_kind *kind = storage_kind_of(format);
  return kind && kind->scales == SCALES_CHOSEN;
}

rung_status rung_storage_check(const rung_storage *storage, const char *what) {
  if (!storage_kind_of(storage->format))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s %d, expected 0..%d", what, (int)storage->format,
                     RUNG_STORAGE_FORMAT_COUNT - 1);
  if ((int)storage->granularity < RUNG_PER_CHANNEL || storage->granularity > RUNG_PER_GROUP)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: granularity %d, expected per channel (0), tensor (1) or group (2)", what,
                     (int)storage->granularity);
  if (storage->granularity == RUNG_PER_GROUP && storage->group < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: group %lld, expected 1 or more", what, (long long)storage->group);
  return RUNG_OK;
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

static int64_t parts_of(int64_t count, int64_t size) {
  return count / size + (count % size != 0);
}

/* Weights of a row that share a scale. */
static int64_t width_of(const rung_storage *storage, int64_t columns) {
  return storage->granularity == RUNG_PER_GROUP && storage->group < columns ? storage->group : columns;
}

int64_t storage_block_count(const rung_storage *storage, int64_t rows, int64_t columns) {
  const storage_kind *kind = kinds[storage->format];
  if (kind->scales == SCALES_BLOCKS) return parts_of(rows * columns, kind->block);
  if (kind->scales == SCALES_NONE || storage->granularity == RUNG_PER_TENSOR) return 1;
  return rows * parts_of(columns, width_of(storage, columns));
}

storage_block storage_block_at(const rung_storage *storage, int64_t rows, int64_t columns, int64_t index) {
  const storage_kind *kind = kinds[storage->format];
  const int64_t count = rows * columns;
  if (kind->scales == SCALES_NONE || (kind->scales == SCALES_CHOSEN && storage->granularity == RUNG_PER_TENSOR))
    return (storage_block){0, count};
  const bool across = kind->scales == SCALES_BLOCKS; /* then all is one row */
  const int64_t width = across ? kind->block : width_of(storage, columns), row = across ? count : columns;
  const int64_t groups = parts_of(row, width), column = index % groups * width, left = row - column;
  return (storage_block){index / groups * row + column, left < width ? left : width};
}

void storage_round(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  if (kind->round) {
    kind->round(kind, w, n, scale, y);
    return;
  }
  uint32_t code[STORAGE_CHUNK];
  for (int64_t i = 0; i < n; i += STORAGE_CHUNK) {
    const int64_t chunk = n - i < STORAGE_CHUNK ? n - i : STORAGE_CHUNK;
    kind->encode(kind, w + i, chunk, scale, code);
    kind->decode(kind, code, chunk, scale, y + i);
  }
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

/* Bytes of the scales: f32, or a byte each with an f32 for every RUNG_DYNAMIC_BLOCK of them and their mean. */
static size_t scale_bytes(const storage_kind *kind, int64_t scales) {
  if (!kind->double_quantized) return (size_t)scales * sizeof(float);
  return (size_t)scales + ((size_t)parts_of(scales, RUNG_DYNAMIC_BLOCK) + 1) * sizeof(float);
}

rung_status rung_storage_measure(const rung_storage *storage, int64_t rows, int64_t columns,
                                 rung_storage_layout *layout) {
  rung_status status = rung_storage_check(storage, "format");
  int64_t count;
  if (status == RUNG_OK) status = rung_shape_count(&RUNG_SHAPE(rows, columns), &count); /* 4 count bytes fit */
  if (status != RUNG_OK) return status;
  const storage_kind *kind = kinds[storage->format];
  const int64_t scales = kind->scales == SCALES_NONE ? 0 : storage_block_count(storage, rows, columns);
  const size_t codes = ((size_t)count / 8) * (size_t)kind->bits + ((size_t)count % 8 * (size_t)kind->bits + 7) / 8;
  *layout = (rung_storage_layout){.bits = kind->bits,
                                  .scales = scales,
                                  .code_bytes = codes,
                                  .scale_bytes = scales > 0 ? scale_bytes(kind, scales) : 0};
  if (!rung_size_add(codes, layout->scale_bytes, &layout->bytes))
    return rung_fail(RUNG_ERROR_SHAPE, "format %s: the size of [%lld, %lld] overflows", kind->name, (long long)rows,
                     (long long)columns);
  layout->bits_per_weight = 8 * (double)layout->bytes / (double)count;
  return RUNG_OK;
}

/* ---- Codes ------------------------------------------------------------------------------------------------------ */

static int64_t place_of(const storage_kind *kind, int64_t i) {
  return kind->first_in_high ? i ^ 1 : i;
}

/* Bit k of code i is bit k + bits i of the bytes, counted from the lowest bit of the first; they are zero before. */
static void put_code(const storage_kind *kind, uint8_t *bytes, int64_t i, uint32_t code) {
  const uint64_t bit = (uint64_t)place_of(kind, i) * (uint64_t)kind->bits;
  uint64_t shifted = (uint64_t)code << bit % 8;
  for (uint64_t at = bit / 8; shifted != 0; at++, shifted >>= 8) bytes[at] |= (uint8_t)shifted;
}

static uint32_t get_code(const storage_kind *kind, const uint8_t *bytes, int64_t i) {
  const uint64_t bit = (uint64_t)place_of(kind, i) * (uint64_t)kind->bits, last = bit + (uint64_t)kind->bits - 1;
  uint64_t found = 0;
  for (uint64_t at = bit / 8; at <= last / 8; at++) found |= (uint64_t)bytes[at] << 8 * (at - bit / 8);
  return (uint32_t)(found >> bit % 8) & (uint32_t)((UINT64_C(1) << kind->bits) - 1);
}

static void encode_block(const storage_kind *kind, const float *weight, storage_block block, float scale,
                         uint8_t *bytes) {
  uint32_t code[STORAGE_CHUNK];
  for (int64_t done = 0; done < block.count; done += STORAGE_CHUNK) {
    const int64_t left = block.count - done, chunk = left < STORAGE_CHUNK ? left : STORAGE_CHUNK;
    kind->encode(kind, weight + block.begin + done, chunk, scale, code);
    for (int64_t i = 0; i < chunk; i++) put_code(kind, bytes, block.begin + done + i, code[i]);
  }
}

static void decode_block(const storage_kind *kind, const uint8_t *bytes, storage_block block, float scale,
                         float *weight) {
  uint32_t code[STORAGE_CHUNK];
  for (int64_t done = 0; done < block.count; done += STORAGE_CHUNK) {
    const int64_t left = block.count - done, chunk = left < STORAGE_CHUNK ? left : STORAGE_CHUNK;
    for (int64_t i = 0; i < chunk; i++) code[i] = get_code(kind, bytes, block.begin + done + i);
    kind->decode(kind, code, chunk, scale, weight + block.begin + done);
  }
}

/* ---- Scales ----------------------------------------------------------------------------------------------------- */

/* Double quantization (Dettmers et al., QLoRA, 2023; eq. 53): scale - mean as signed dynamic codes. */
static rung_status put_double(const float *scale, int64_t scales, uint8_t *bytes) {
  const int64_t blocks = parts_of(scales, RUNG_DYNAMIC_BLOCK);
  float *rest = rung_allocate((size_t)(scales + blocks) * sizeof *rest), *absmax = rest + scales;
  if (!rest) return RUNG_ERROR_MEMORY;
  rung_dynamic_map map;
  rung_dynamic_map_make(&map, true);
  double sum = 0;
  for (int64_t i = 0; i < scales; i++) sum += (double)scale[i];
  const float mean = (float)(sum / (double)scales);
  for (int64_t i = 0; i < scales; i++) rest[i] = scale[i] - mean;
  rung_dynamic_encode(&map, rest, scales, bytes, absmax);
  memcpy(bytes + scales, absmax, (size_t)blocks * sizeof *absmax);
  memcpy(bytes + scales + (size_t)blocks * sizeof *absmax, &mean, sizeof mean);
  rung_release(rest);
  return RUNG_OK;
}

/* By the block, as the scales' own scales are not aligned. */
static void get_double(const uint8_t *bytes, int64_t scales, float *scale) {
  const int64_t blocks = parts_of(scales, RUNG_DYNAMIC_BLOCK);
  rung_dynamic_map map;
  rung_dynamic_map_make(&map, true);
  float mean, absmax;
  memcpy(&mean, bytes + scales + (size_t)blocks * sizeof mean, sizeof mean);
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t begin = b * RUNG_DYNAMIC_BLOCK, left = scales - begin;
    memcpy(&absmax, bytes + scales + (size_t)b * sizeof absmax, sizeof absmax);
    rung_dynamic_decode(&map, bytes + begin, &absmax, left < RUNG_DYNAMIC_BLOCK ? left : RUNG_DYNAMIC_BLOCK,
                        scale + begin);
  }
  for (int64_t i = 0; i < scales; i++) scale[i] += mean;
}

static rung_status put_scales(const storage_kind *kind, const float *scale, int64_t scales, uint8_t *bytes) {
  if (kind->double_quantized) return put_double(scale, scales, bytes);
  memcpy(bytes, scale, (size_t)scales * sizeof *scale);
  return RUNG_OK;
}

static void get_scales(const storage_kind *kind, const uint8_t *bytes, int64_t scales, float *scale) {
  if (kind->double_quantized)
    get_double(bytes, scales, scale);
  else
    memcpy(scale, bytes, (size_t)scales * sizeof *scale);
}

/* ---- Whole weights ---------------------------------------------------------------------------------------------- */

static rung_status check_finite(const float *weight, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(weight[i]))
      return rung_fail(RUNG_ERROR_NUMERIC, "weight %lld is %g, expected a finite number", (long long)i,
                       (double)weight[i]);
  return RUNG_OK;
}

rung_status rung_storage_encode(const rung_storage *storage, const float *weight, int64_t rows, int64_t columns,
                                void *bytes) {
  rung_storage_layout layout;
  rung_status status = rung_storage_measure(storage, rows, columns, &layout);
  if (status == RUNG_OK) status = check_finite(weight, rows * columns);
  if (status != RUNG_OK) return status;
  const storage_kind *kind = kinds[storage->format];
  const int64_t blocks = storage_block_count(storage, rows, columns);
  float *scale = rung_allocate((size_t)blocks * sizeof *scale);
  if (!scale) return RUNG_ERROR_MEMORY;
  memset(bytes, 0, layout.bytes);
  for (int64_t b = 0; b < blocks; b++) {
    const storage_block block = storage_block_at(storage, rows, columns, b);
    scale[b] = kind->scale ? kind->scale(kind, weight + block.begin, block.count) : 1;
    encode_block(kind, weight, block, scale[b], bytes);
  }
  if (layout.scales > 0) status = put_scales(kind, scale, blocks, (uint8_t *)bytes + layout.code_bytes);
  rung_release(scale);
  return status;
}

rung_status rung_storage_decode(const rung_storage *storage, const void *bytes, int64_t rows, int64_t columns,
                                float *weight) {
  rung_storage_layout layout;
  rung_status status = rung_storage_measure(storage, rows, columns, &layout);
  if (status != RUNG_OK) return status;
  const storage_kind *kind = kinds[storage->format];
  const int64_t blocks = storage_block_count(storage, rows, columns);
  float *scale = rung_allocate((size_t)blocks * sizeof *scale);
  if (!scale) return RUNG_ERROR_MEMORY;
  if (layout.scales > 0) get_scales(kind, (const uint8_t *)bytes + layout.code_bytes, blocks, scale);
  for (int64_t b = 0; b < blocks; b++)
    decode_block(kind, bytes, storage_block_at(storage, rows, columns, b), scale[b], weight);
  rung_release(scale);
  return RUNG_OK;
}
