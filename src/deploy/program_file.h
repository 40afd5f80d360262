/* A program as a safetensors file (docs/integer-program.md): what save and load agree on. */
#ifndef DEPLOY_PROGRAM_FILE_H
#define DEPLOY_PROGRAM_FILE_H

/* Metadata. */
#define PROGRAM_KEY          "rung" /* "program" */
#define PROGRAM_VALUE        "program"
#define PROGRAM_VERSION_KEY  "version"
#define PROGRAM_VERSION      "1"
#define PROGRAM_TAKES_KEY    "takes"        /* "integers", or "reals" that rung_program_quantize makes integers */
#define PROGRAM_INPUT        "input"        /* RANK EXTENT... NAME: an example as the model takes it; may be missing */
#define PROGRAM_BUFFERS      "buffers"      /* a line a buffer: TYPE COUNT */
#define PROGRAM_SIGN         "sign"         /* the TYPE of i8 that is -1 or 1 */
#define PROGRAM_INSTRUCTIONS "instructions" /* a line an instruction: linear INPUT OUTPUT BITS GROUP NAME */

/* Tensors of the buffers, n + 1 of them. */
#define PROGRAM_SCALE      "buffers.scale"      /* f32 [n + 1] */
#define PROGRAM_ZERO_POINT "buffers.zero_point" /* i32 [n + 1] */
#define PROGRAM_RANGE      "buffers.range"      /* i32 [n + 1, 2]: qmin, qmax */

/* Of a program whose inputs go through a table: metadata, and tensors. */
#define PROGRAM_TABLE       "input_table"            /* u8 or i8: what the caller's integers are */
#define PROGRAM_TABLE_Q     "input_table.q"          /* u8 [256] */
#define PROGRAM_TABLE_SCALE "input_table.scale"      /* f32 [1] */
#define PROGRAM_TABLE_ZERO  "input_table.zero_point" /* i32 [1] */

/* Tensors of instruction NAME: "NAME.weight" ... */
#define PROGRAM_TENSOR_NAME 96 /* bytes enough for one */

#endif
