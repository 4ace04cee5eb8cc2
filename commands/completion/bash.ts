import type { CompletionCommand, CompletionModel, CompletionOption, CompletionValue } from './model.ts';

/**
 * A completion script for bash 4.1 or later, which needs nothing but bash: not the package bash-completion either.
 * Source: bash(1), "Programmable Completion".
 */
export function writeBashCompletion({ name, options, commands }: CompletionModel): string {
  const words = commands.map((command) => command.name).join(' ');
  return `# bash completion for ${name}: source <(${name} completion bash)
${helpers}
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= i
  COMPREPLY=()
  # bash makes = and : words of their own.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $cur == : || $prev == : ]]; then
    return
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --) _${name}_program "$cur" $((COMP_CWORD - i)); return ;;
      -*) ;;
      *) command=\${command:-\${COMP_WORDS[i]}} ;;
    esac
  done
  case $command in
${commands.map(writeCommand).join('\n')}
    '') COMPREPLY=($(compgen -W '${words} ${optionNames(options)}' -- "$cur")) ;;
  esac
}
complete -F _${name} ${name}
`;
}

function writeCommand({ name, options, operand }: CompletionCommand): string {
  const values = options.filter(({ value }) => value !== undefined).map(writeValue);
  const named = optionNames(options);
  return `    ${name})
      case $prev in
${values.map((line) => `${line}\n`).join('')}        *)
          if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W '${named}' -- "$cur"))
          else
            ${offer(operand)}
          fi ;;
      esac ;;`;
}

function writeValue({ names, value, isOptional }: CompletionOption): string {
  const pattern = names.join('|');
  // An optional value follows = only, so a following word is not a value.
  const guard = isOptional
    ? ' [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD-1]} == = ]] &&'
    : '';
  return `        ${pattern})${guard} ${offer(value)} ;;`;
}

function optionNames(options: readonly CompletionOption[]): string {
  return options.flatMap(({ names }) => names).join(' ');
}

function offer(value: CompletionValue | undefined): string {
  switch (value?.kind) {
    case 'choice':
    case 'command':
      return `COMPREPLY=($(compgen -W '${value.choices.join(' ')}' -- "$cur"))`;
    case 'file':
      return '_tnet_paths f "$cur"';
    case 'folder':
      return '_tnet_paths d "$cur"';
    case 'socket':
      return '_tnet_paths S "$cur"';
    case 'address':
      return '_tnet_address "$cur"';
    case 'program':
      return 'COMPREPLY=($(compgen -c -- "$cur"))';
    default:
      return ':';
  }
}

/** Functions that the script has, named after the program. Paths keep their blanks, so they are read by lines. */
const helpers = String.raw`_tnet_paths() {
  local kind=$1 path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do
    if [[ -d $path || $kind == f || ( $kind == S && -S $path ) ]]; then COMPREPLY+=("$path"); fi
  done < <(compgen -f -- "$2")
}
_tnet_hosts() {
  local line names file
  while read -r line; do
    line=${'$'}{line%%#*}
    set -f; set -- $line; set +f
    shift && (($#)) && printf '%s\n' "$@"
  done </etc/hosts 2>/dev/null
  for file in ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts; do
    [[ -r $file ]] || continue
    while read -r names line; do
      # A hashed name, a comment, a marker such as @revoked.
      [[ $names == ["|#@"]* ]] && continue
      set -f; set -- ${'$'}{names//,/ }; set +f
      for line; do line=${'$'}{line#[}; printf '%s\n' "${'$'}{line%]*}"; done
    done <"$file"
  done
}
_tnet_address() {
  if [[ $1 == [./~]* ]]; then _tnet_paths S "$1"; return; fi
  COMPREPLY=($(compgen -W "$(_tnet_hosts)" -- "$1"))
}
_tnet_program() {
  if (($2 == 1)); then COMPREPLY=($(compgen -c -- "$1")); else _tnet_paths f "$1"; fi
}`;
