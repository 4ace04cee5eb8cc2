import type { CompletionCommand, CompletionModel, CompletionOption, CompletionValue } from './model.ts';

/** A completion script for zsh, to be sourced or to stand in $fpath as _tnet. Source: zshcompsys(1), _arguments. */
export function writeZshCompletion({ name, options, commands }: CompletionModel): string {
  return `#compdef ${name}
# zsh completion for ${name}: source <(${name} completion zsh), after compinit
_${name}_sockets() { _files -g '*(=)' }
_${name}_address() {
  local -i at=\${words[(i)--]}
  if (( at < CURRENT )); then
    words=("\${(@)words[at+1,-1]}")
    (( CURRENT -= at ))
    _normal
  elif [[ $PREFIX == [./~]* ]]; then
    _${name}_sockets
  else
    _hosts
  fi
}
${commands.map((command) => writeCommand(name, command)).join('\n')}
_${name}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a offered=(
${commands.map((command) => `    ${quote(`${command.name}:${command.summary.replaceAll(':', '\\:')}`)}`).join('\n')}
  )
  _arguments -C -s \\
${options.map((option) => `    ${writeOption(name, option)} \\\n`).join('')}    '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands 'command' offered ;;
    rest) (( $+functions[_${name}_$words[1]] )) && _${name}_$words[1] ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function writeCommand(program: string, { name, options, operand }: CompletionCommand): string {
  const specs = options.map((option) => writeOption(program, option));
  const rest = operand === undefined ? [] : [quote(`*${valueOf(program, operand)}`)];
  return `_${program}_${name}() {
  _arguments -s ${[...specs, ...rest].map((spec) => `\\\n    ${spec}`).join(' ')}
}`;
}

/** `'(-4 --ipv4)'{-4,--ipv4}'[use IPv4 only]'`. */
function writeOption(
  program: string,
  { names, description, value, isOptional, isRepeatable }: CompletionOption,
): string {
  const text = `[${description.replace(/[\\[\]:]/g, '\\$&')}]`;
  const taken = isRepeatable ? quote('*') : quote(`(${names.join(' ')})`);
  return names
    .map((name) => {
      const isLong = name.startsWith('--');
      // An optional value follows = only: the short form has none.
      if (value === undefined || (isOptional && !isLong)) return taken + quote(name + text);
      const assign = isLong ? (isOptional ? '=-' : '=') : '';
      return taken + quote(`${name}${assign}${text}${isOptional ? ':' : ''}${valueOf(program, value)}`);
    })
    .join(' ');
}

/** `:message:action`. */
function valueOf(program: string, { name, kind, choices }: CompletionValue): string {
  const message = `:${name.replaceAll(':', '\\:')}`;
  switch (kind) {
    case 'choice':
    case 'command':
      return `${message}:(${choices.join(' ')})`;
    case 'file':
      return `${message}:_files`;
    case 'folder':
      return `${message}:_files -/`;
    case 'socket':
      return `${message}:_${program}_sockets`;
    case 'address':
      return `${message}:_${program}_address`;
    case 'program':
      return `${message}:_command_names -e`;
    case 'text':
      return `${message}: `;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
