/* rung help [COMMAND] */
#include "help.h"
#include "session.h"

static ending run(session *asked) {
  if (asked->positional[0])
    help_print(command_find(asked->positional[0]));
  else
    help_print_all();
  return ENDS_WELL;
}

const command help_command = {.name = "help",
                              .summary = "shows what there is, or how one command is used",
                              .positionals = {{.name = "COMMAND",
                                               .kind = KIND_CHOICE,
                                               .choice = command_name,
                                               .optional = true,
                                               .help = "the command in question"}},
                              .examples = {{"help", "all commands"}, {"help train", "the same as rung train --help"}},
                              .run = run};
