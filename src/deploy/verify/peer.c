#include "peer.h"

#include <string.h>

static rung_status plan_peer(verify_execution *execution, peer_process *peer, bool real_logits) {
  const verify_run *run = execution->in;
  const int64_t outputs = verify_layer(run, run->program->count - 1)->out;
  peer->record = outputs * (int64_t)sizeof(int32_t);
  for (int i = 0; i + 1 < run->program->count; i++) peer->record += verify_layer(run, i)->out;
  peer->answer = rung_arena_array(run->arena, (size_t)run->block, (size_t)peer->record);
  if (real_logits) peer->logits = rung_arena_array(run->arena, (size_t)(run->block * outputs), sizeof(float));
  return peer->answer && (peer->logits || !real_logits) ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* It has ended, or is made to. */
static rung_status blame(verify_execution *execution) {
  peer_process *peer = execution->state;
  char line[REASON_SIZE / 2];
  const int code = child_end(&peer->child, true);
  file_line(peer->errors, true, line, sizeof line);
  const rung_outcome outcome = code == PEER_UNAVAILABLE ? RUNG_OUTCOME_NOT_AVAILABLE : RUNG_OUTCOME_FAILED;
  if (*line) return execution_give_up(execution, outcome, "%s", line);
  return execution_give_up(execution, outcome, "it ended, or said nothing, with exit code %d", code);
}

rung_status peer_open(verify_execution *execution, const command *line, const char *what, bool real_logits) {
  verify_run *run = execution->in;
  peer_process *peer = rung_arena_array(run->arena, 1, sizeof *peer);
  char ready = 0;
  if (!peer) return RUNG_ERROR_MEMORY;
  peer->child.socket = -1;
  execution->state = peer;
  peer->errors = folder_file(run->arena, run->folder, what);
  rung_status status = plan_peer(execution, peer, real_logits);
  if (status != RUNG_OK || !peer->errors) return RUNG_ERROR_MEMORY;
  const char *problem = child_start(&peer->child, line, peer->errors);
  if (problem) return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "%s: %s", line->word[0], problem);
  return child_receive(&peer->child, &ready, 1) && ready == '+' ? RUNG_OK : blame(execution);
}

static uint32_t read_u32(const unsigned char *from) {
  return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void take_logits(const verify_execution *execution, const peer_process *peer, int64_t example,
                        const unsigned char *from) {
  const int last = execution->in->program->count - 1;
  const int64_t out = verify_layer(execution->in, last)->out;
  for (int64_t j = 0; j < out; j++) {
    const uint32_t bits = read_u32(from + 4 * j);
    memcpy(peer->logits ? (void *)&peer->logits[example * out + j] : &execution->layer[last].q[example * out + j],
           &bits, sizeof bits);
  }
}

static void take_answer(verify_execution *execution, const peer_process *peer) {
  const verify_run *run = execution->in;
  const int last = run->program->count - 1;
  const unsigned char *from = peer->answer;
  for (int64_t i = 0; i < run->count; i++) {
    for (int l = 0; l < last; l++) {
      const rung_integer_layer *layer = verify_layer(run, l);
      verify_widen(execution->layer[l].q + i * layer->out, layer->output_type, from, layer->out);
      from += layer->out;
    }
    take_logits(execution, peer, i, from);
    from += 4 * verify_layer(run, last)->out;
  }
  if (!peer->logits) return;
  const rung_integer_layer *logits = verify_layer(run, last);
  verify_put_on_grid(execution->layer[last].q, logits, peer->logits, run->count * logits->out);
  execution->layer[last].real = execution->layer[last].before = peer->logits;
}

rung_status peer_run(verify_execution *execution) {
  const verify_run *run = execution->in;
  peer_process *peer = execution->state;
  const uint32_t count = (uint32_t)run->count;
  const unsigned char head[4] = {(unsigned char)count, (unsigned char)(count >> 8), (unsigned char)(count >> 16),
                                 (unsigned char)(count >> 24)};
  bool answered = child_send(&peer->child, head, sizeof head) &&
                  child_send(&peer->child, run->input, (size_t)(run->count * verify_layer(run, 0)->in)) &&
                  child_receive(&peer->child, peer->answer, (size_t)(run->count * peer->record));
  if (!answered) return blame(execution);
  take_answer(execution, peer);
  return RUNG_OK;
}

void peer_close(verify_execution *execution) {
  peer_process *peer = execution->state;
  child_end(&peer->child, false);
}
