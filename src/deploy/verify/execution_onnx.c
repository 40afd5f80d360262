/* ONNX Runtime: the program exported with every layer's integers as outputs, in a Python that answers as a peer
 * (peer.h). */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

/* Its arguments: the file, the input's scale, zero point and type, the outputs. What ONNX Runtime leaves in a temporary
 * folder it leaves beside the file. All optimizations, as it is used; but on x86-64 without VNNI its products of u8 and
 * i8 saturate at 16 bits unless it is told to be precise, and then compute something else. */
static const char script[] =
    "import os, sys\n"
    "os.environ['TMPDIR'] = os.path.dirname(sys.argv[1])\n"
    "try:\n"
    "    import numpy, onnxruntime\n"
    "except ImportError as error:\n"
    "    sys.stderr.write(str(error))\n"
    "    sys.exit(77)\n"
    "path, scale, zero_point, kind, *outputs = sys.argv[1:]\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.intra_op_num_threads = 1\n"
    "options.log_severity_level = 4\n"
    "options.add_session_config_entry('session.x64quantprecision', '1')\n"
    "session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])\n"
    "entry = session.get_inputs()[0]\n"
    "example = entry.shape[1:]\n"
    "size = int(numpy.prod(example))\n"
    "\n"
    "def as_bytes(y):\n"
    "    if y.dtype == numpy.float32:\n"
    "        y = y.astype('<f4')\n"
    "    return numpy.ascontiguousarray(y).view(numpy.uint8).reshape(len(y), -1)\n"
    "\n"
    "def answer(bytes):\n"
    "    sys.stdout.buffer.write(bytes)\n"
    "    sys.stdout.buffer.flush()\n"
    "\n"
    "answer(b'+')\n"
    "while head := sys.stdin.buffer.read(4):\n"
    "    count = int.from_bytes(head, 'little')\n"
    "    q = numpy.frombuffer(sys.stdin.buffer.read(count * size), kind)\n"
    "    x = (q.astype(numpy.float32) - int(zero_point)) * numpy.float32(float.fromhex(scale))\n"
    "    y = session.run(outputs, {entry.name: x.reshape(count, *example)})\n"
    "    answer(numpy.concatenate([as_bytes(part) for part in y], axis=1).tobytes())\n";

static void split_python(const verify_run *run, command *line) {
  const char *folder = getenv("RUNG_PEERS_VENV");
  char path[1024];
  if (!run->options.python && folder && *folder) {
    snprintf(path, sizeof path, "%s/bin/python", folder);
    command_add(line, path);
  } else {
    command_split(line, run->options.python ? run->options.python : "python3");
  }
}

static void add_arguments(const verify_run *run, command *line) {
  const rung_integer_layer *first = verify_layer(run, 0);
  char number[64];
  snprintf(number, sizeof number, "%a", (double)first->input_scale);
  command_add(line, number);
  snprintf(number, sizeof number, "%d", first->input_zero_point);
  command_add(line, number);
  command_add(line, first->input_type == RUNG_I8 ? "int8" : "uint8");
  for (int i = 0; i + 1 < run->program->count; i++) command_add(line, run->result->name[i]);
  command_add(line, "logits");
}

static rung_status open_onnx(verify_execution *execution) {
  verify_run *run = execution->in;
  rung_status status = verify_folder(run);
  if (status != RUNG_OK) return status;
  const char *path = folder_file(run->arena, run->folder, "network.onnx");
  if (!path) return RUNG_ERROR_MEMORY;
  status = rung_program_export_onnx(run->program, path, &(rung_onnx_options){.trace = true});
  if (status == RUNG_ERROR_UNSUPPORTED)
    return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "%s", rung_error());
  if (status != RUNG_OK) return status;
  command line = {0};
  split_python(run, &line);
  command_add(&line, "-c");
  command_add(&line, script);
  command_add(&line, path);
  add_arguments(run, &line);
  return peer_open(execution, &line, "python-says", true);
}

const execution_kind execution_onnx = {
    .name = "onnx", .simulates = true, .open = open_onnx, .run = peer_run, .close = peer_close};
