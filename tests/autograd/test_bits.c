/* Three training steps, the last of a short batch, of a network with every op: the same bits for every team and at
 * every level of kernels. */
#include "harness.h"
#include "network.h"
#include "op_list.h"

static network_data data;

static uint64_t train(int threads) {
  rung_team *team = rung_team_new(threads);
  network net = network_new(team, 13);
  ck_assert_msg(network_bind(&net, &data) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(network_step(&net, 0, 13) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(network_step(&net, 13, 13), RUNG_OK);
  ck_assert_int_eq(network_step(&net, 26, 6), RUNG_OK);
  ck_assert(isfinite(*(const float *)net.loss->value.data));
  uint64_t hash = network_hash(&net);
  rung_graph_free(net.graph);
  rung_team_free(team);
  return hash;
}

START_TEST(same_bits_for_every_team) {
  static const int teams[] = {2, 3, 5, 16};
  network_data_make(&data);
  uint64_t alone = train(1);
  for (int i = 0; i < 4; i++) ck_assert_msg(train(teams[i]) == alone, "a team of %d differs", teams[i]);
}
END_TEST

START_TEST(same_bits_at_every_level) {
  network_data_make(&data);
  ck_assert_int_eq(rung_kernels_use("ref"), RUNG_OK);
  uint64_t plain = train(2);
  for (int i = 0; i < rung_kernels_level_count(); i++) {
    const rung_kernels *level = rung_kernels_level(i);
    if (!level) continue;
    ck_assert_int_eq(rung_kernels_use(level->level), RUNG_OK);
    ck_assert_msg(train(2) == plain, "level %s differs", level->level);
  }
}
END_TEST

START_TEST(the_network_has_every_op) {
  network net = network_new(NULL, 13);
  ck_assert_msg(rung_graph_status(net.graph) == RUNG_OK, "%s", rung_error());
  for (int i = 0; i < rung_op_count(); i++) {
    int uses = 0;
    for (int k = 0; k < rung_graph_node_count(net.graph); k++)
      uses += rung_graph_node(net.graph, k)->op == rung_op_at(i);
    ck_assert_msg(uses > 0, "%s is missing", rung_op_at(i)->name);
  }
  rung_graph_free(net.graph);
}
END_TEST

TEST_MAIN(CASE(same_bits_for_every_team), CASE(same_bits_at_every_level), CASE(the_network_has_every_op))
