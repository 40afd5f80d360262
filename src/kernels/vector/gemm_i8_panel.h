/* Getting ready to multiply by a panel of weights. */
#ifndef RUNG_GEMM_I8_PANEL_H
#define RUNG_GEMM_I8_PANEL_H

#include "gemm_i8_epilogue.h"

/* Room for the numbers of a panel's columns where they do not lie in memory as wanted. */
typedef struct panel_room {
  int32_t shift[panel_columns];
  int32_t *bias, *multiplier; /* [groups, panel_columns] */
} panel_room;

/* [groups, panel_columns] of `from` [n, groups]: where it lies, or a copy in `room`, filled up with `fill`. */
static const int32_t *panel_numbers(const int32_t *from, int64_t groups, const weight_panel *panel, int32_t fill,
                                    int32_t *room) {
  if (groups == 1 && panel->columns == panel_columns) return from + panel->column;
  for (int64_t g = 0; g < groups; g++)
    for (int64_t j = 0; j < panel_columns; j++)
      room[g * panel_columns + j] = j < panel->columns ? from[(panel->column + j) * groups + g] : fill;
  return room;
}

/* Activations that were fed as a + 128 have it back in the bias, modulo 2^32 as all of the accumulator. */
static void take_back_128(const rung_qgemm *gemm, weight_panel *panel, int32_t *room) {
#if defined(__AVX512VNNI__)
  if (gemm->a_type == RUNG_U8) return;
  for (int64_t g = 0; g < group_count(gemm); g++)
    for (int j = 0; j < panel_columns; j += VW) {
      vi_modular sums = (vi_modular)vi_load(packed_sums(gemm, g) + panel->column + j);
      vi_modular bias = (vi_modular)vi_load(panel->bias + g * panel_columns + j);
      vi_store(room + g * panel_columns + j, (vi)(bias - 128 * sums));
    }
  panel->bias = room;
#else
  (void)gemm, (void)panel, (void)room;
#endif
}

static void load_scales(const rung_qgemm *gemm, weight_panel *panel, panel_room *room) {
  panel->near = gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 && !gemm->group && !gemm->binary;
  panel->shift = panel_numbers(gemm->shift, 1, panel, 33, room->shift);
  panel->multiplier = panel_numbers(gemm->multiplier, group_count(gemm), panel, 0, room->multiplier);
  for (int j = 0; j < tile_vectors; j++) {
    vi multiplier = vi_load(panel->multiplier + j * VW);
    vi shift = near_shift_of(multiplier, vi_load(panel->shift + j * VW));
    panel->near = panel->near && shifts_are_near(shift);
    if (panel->near) panel->near_scale[j] = near_scales_of(multiplier, shift, gemm->zero_point);
  }
  for (int64_t j = 0; j < panel_columns && gemm->group; j++)
    panel->bias64[j / VW].half[j % 2][j % VW / 2] = j < panel->columns ? gemm->bias64[panel->column + j] : 0;
}

/* `first` tells that no rows went through these columns before. */
static void panel_open(weight_panel *panel, const rung_qgemm *gemm, int64_t column, int64_t columns, bool first,
                       panel_room *room) {
  panel->column = column;
  panel->columns = columns;
  panel->vectors = (int)((columns + VW - 1) / VW);
  panel->near = false;
  panel->multiplier = NULL;
  panel->bias = panel_numbers(gemm->bias, group_count(gemm), panel, 0, room->bias);
  take_back_128(gemm, panel, room->bias);
  if (gemm->epilogue != RUNG_EPILOGUE_ACCUMULATOR) load_scales(gemm, panel, room);
  if (!gemm->acc_min) return;
  for (int64_t j = 0; j < panel_columns; j++) {
    bool known = j < columns && !first;
    panel->least[j] = known ? gemm->acc_min[column + j] : INT32_MAX;
    panel->most[j] = known ? gemm->acc_max[column + j] : INT32_MIN;
  }
}

static void panel_close(const weight_panel *panel, const rung_qgemm *gemm) {
  if (!gemm->acc_min) return;
  memcpy(gemm->acc_min + panel->column, panel->least, (size_t)panel->columns * sizeof(int32_t));
  memcpy(gemm->acc_max + panel->column, panel->most, (size_t)panel->columns * sizeof(int32_t));
}

#endif
