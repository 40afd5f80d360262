/* Every storage format: STORAGE_LIST(ROW) expands ROW(format, structure) once for each. Adding one: docs/adding.md. */
#ifndef RUNG_STORAGE_LIST_H
#define RUNG_STORAGE_LIST_H

#define STORAGE_LIST(ROW)                                                                                              \
  ROW(RUNG_STORAGE_F32, f32_storage)                                                                                   \
  ROW(RUNG_STORAGE_F16, f16_storage)                                                                                   \
  ROW(RUNG_STORAGE_BF16, bf16_storage)                                                                                 \
  ROW(RUNG_STORAGE_E4M3, e4m3_storage)                                                                                 \
  ROW(RUNG_STORAGE_E5M2, e5m2_storage)                                                                                 \
  ROW(RUNG_STORAGE_NF4, nf4_storage)                                                                                   \
  ROW(RUNG_STORAGE_NF4_DOUBLE, nf4_double_storage)                                                                     \
  ROW(RUNG_STORAGE_INT8, int8_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT7, int7_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT6, int6_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT5, int5_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT4, int4_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT3, int3_storage)                                                                                 \
  ROW(RUNG_STORAGE_INT2, int2_storage)

#endif
