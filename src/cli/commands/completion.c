/* rung completion SHELL: a completion script, made from the table. */
#include "session.h"

#include <stdio.h>
#include <string.h>

static const char *shell_name(int index) {
  static const char *const names[] = {"bash", "zsh", "fish"};
  return index < 3 ? names[index] : NULL;
}

static void print_choices(choices *choice, const char *between) {
  for (int i = 0; choice(i); i++) printf("%s%s", i ? between : "", choice(i));
}

/* `text` in single quotes, as all three shells read them; `also` are further characters that take a backslash. */
static void print_quoted(const char *text, const char *also) {
  for (; *text; text++) {
    if (*text == '\'')
      printf("'\\''");
    else if (strchr(also, *text))
      printf("\\%c", *text);
    else
      putchar(*text);
  }
}

/* ---- bash ------------------------------------------------------------------------------------------------------- */

/* case "$1 $previous" in ... of one option's values, for all commands alike */
static void bash_values(const option *of) {
  if (of->kind == KIND_FLAG) return;
  printf("    --%s", of->name);
  if (of->letter) printf("|-%c", of->letter);
  if (of->kind == KIND_CHOICE) {
    printf(") COMPREPLY=($(compgen -W '");
    print_choices(of->choice, " ");
    printf("' -- \"$word\")); return ;;\n");
  } else if (of->kind == KIND_FOLDER) {
    printf(") COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n");
  } else if (of->kind == KIND_WHOLE || of->kind == KIND_NUMBER) {
    printf(") COMPREPLY=(); return ;;\n");
  } else {
    printf(") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
  }
}

static void bash_command(const command *of) {
  printf("    %s) choices='", of->name);
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++)
    if (of->positionals[i].kind == KIND_CHOICE) {
      print_choices(of->positionals[i].choice, " ");
      putchar(' ');
    }
  printf("' options='");
  for (int i = 0; i < OPTION_COUNT; i++)
    if (command_takes(of, i)) printf("--%s ", options[i].name);
  printf("' ;;\n");
}

static void print_bash(void) {
  printf("# bash completion of rung: source it, or save it as rung in the folder of bash-completion.\n"
         "_rung() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} choices= options=\n"
         "  if [[ $COMP_CWORD == 1 ]]; then\n"
         "    COMPREPLY=($(compgen -W '");
  print_choices(command_name, " ");
  printf("' -- \"$word\"))\n    return\n  fi\n  case $previous in\n");
  for (int i = 0; i < OPTION_COUNT; i++) bash_values(&options[i]);
  printf("  esac\n  case ${COMP_WORDS[1]} in\n");
  for (int i = 0; i < command_count; i++) bash_command(commands[i]);
  printf("  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  elif [[ $COMP_CWORD == 2 && -n $choices ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$choices\" -- \"$word\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _rung rung\n");
}

/* ---- zsh -------------------------------------------------------------------------------------------------------- */

static void zsh_action(option_kind kind, choices *choice) {
  if (kind == KIND_CHOICE) {
    putchar('(');
    print_choices(choice, " ");
    putchar(')');
  } else if (kind == KIND_FOLDER) {
    printf("_files -/");
  } else if (kind != KIND_WHOLE && kind != KIND_NUMBER) {
    printf("_files");
  }
}

/* '(-o --out)'{-o,--out=}'[help]:FILE:_files' */
static void zsh_option(const option *of) {
  const char *equals = of->kind == KIND_FLAG ? "" : "=";
  if (of->letter)
    printf("        '(-%c --%s)'{-%c,--%s%s}'[", of->letter, of->name, of->letter, of->name, equals);
  else
    printf("        '--%s%s[", of->name, equals);
  print_quoted(of->help, "[]:\\");
  putchar(']');
  if (of->kind != KIND_FLAG) {
    putchar(':');
    print_quoted(of->argument, ":\\");
    putchar(':');
    zsh_action(of->kind, of->choice);
  }
  printf("' \\\n");
}

static void zsh_command(const command *of) {
  printf("    %s)\n      _arguments \\\n", of->name);
  for (int i = 0; i < OPTION_COUNT; i++)
    if (command_takes(of, i)) zsh_option(&options[i]);
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++) {
    printf("        '%d:%s:", i + 1, of->positionals[i].name);
    zsh_action(of->positionals[i].kind, of->positionals[i].choice);
    printf("' \\\n");
  }
  printf("        && return\n      ;;\n");
}

static void print_zsh(void) {
  printf("#compdef rung\n"
         "# zsh completion of rung: save it as _rung in a folder of $fpath.\n"
         "_rung() {\n"
         "  local -a commands=(\n");
  for (int i = 0; i < command_count; i++) {
    printf("    '%s:", commands[i]->name);
    print_quoted(commands[i]->summary, ":\\");
    printf("'\n");
  }
  printf("  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $command in\n");
  for (int i = 0; i < command_count; i++) zsh_command(commands[i]);
  printf("  esac\n"
         "}\n"
         "_rung \"$@\"\n");
}

/* ---- fish ------------------------------------------------------------------------------------------------------- */

static void fish_option(const command *of, const option *takes) {
  printf("complete -c rung -n '__fish_seen_subcommand_from %s' -l %s", of->name, takes->name);
  if (takes->letter) printf(" -s %c", takes->letter);
  if (takes->kind == KIND_CHOICE) {
    printf(" -x -a '");
    print_choices(takes->choice, " ");
    putchar('\'');
  } else if (takes->kind == KIND_WHOLE || takes->kind == KIND_NUMBER) {
    printf(" -x");
  } else if (takes->kind != KIND_FLAG) {
    printf(" -r -F");
  }
  printf(" -d '");
  print_quoted(takes->help, "\\");
  printf("'\n");
}

static void print_fish(void) {
  printf("# fish completion of rung: save it as rung.fish in ~/.config/fish/completions.\n");
  for (int i = 0; i < command_count; i++) {
    printf("complete -c rung -f -n __fish_use_subcommand -a %s -d '", commands[i]->name);
    print_quoted(commands[i]->summary, "\\");
    printf("'\n");
  }
  for (int i = 0; i < command_count; i++) {
    const command *of = commands[i];
    if (of->positionals[0].kind == KIND_CHOICE && of->positionals[0].name) {
      printf("complete -c rung -n '__fish_seen_subcommand_from %s' -a '", of->name);
      print_choices(of->positionals[0].choice, " ");
      printf("'\n");
    }
    for (int j = 0; j < OPTION_COUNT; j++)
      if (command_takes(of, j)) fish_option(of, &options[j]);
  }
}

static ending run(session *asked) {
  const char *shell = asked->positional[0];
  if (strcmp(shell, "bash") == 0)
    print_bash();
  else if (strcmp(shell, "zsh") == 0)
    print_zsh();
  else
    print_fish();
  return ENDS_WELL;
}

const command completion_command = {
    .name = "completion",
    .summary = "prints a completion script for a shell",
    .positionals = {{.name = "SHELL", .kind = KIND_CHOICE, .choice = shell_name, .help = "bash, zsh or fish"}},
    .examples = {{"completion bash > ~/.local/share/bash-completion/completions/rung", NULL},
                 {"completion zsh > ~/.zfunc/_rung", NULL},
                 {"completion fish > ~/.config/fish/completions/rung.fish", NULL}},
    .run = run};
