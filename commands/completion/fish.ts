import type { CompletionCommand, CompletionModel, CompletionOption, CompletionValue } from './model.ts';

/** A completion script for fish 3 or later. Source: fish's own manual of `complete`. */
export function writeFishCompletion({ name, options, commands }: CompletionModel): string {
  const start = `complete -c ${name} -n __${name}_at_start`;
  return `# fish completion for ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish
${writeHelpers(name)}
complete -c ${name} -e
complete -c ${name} -f
${options.map((option) => `${start} ${writeOption(name, option)}`).join('\n')}
${commands.map((command) => `${start} -a ${command.name} -d ${quote(command.summary)}`).join('\n')}
${commands.flatMap((command) => writeCommand(name, command)).join('\n')}
`;
}

function writeCommand(program: string, { name, options, operand }: CompletionCommand): string[] {
  const start = `complete -c ${program} -n '__${program}_runs ${name}'`;
  const offered = operand === undefined ? '' : offer(program, operand);
  return [
    ...options.map((option) => `${start} ${writeOption(program, option)}`),
    ...(offered === '' ? [] : [`${start} ${offered}`]),
  ];
}

function writeOption(program: string, { names, description, value, isOptional }: CompletionOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  // -x: the value is needed, and is no file; -r: it is needed. An optional value follows = only.
  const need = isOptional ? '' : value?.kind === 'file' ? '-r' : '-x';
  const needs = value === undefined ? [] : [need, offer(program, value)];
  return [...flags, ...needs, `-d ${quote(description)}`].filter((part) => part !== '').join(' ');
}

function offer(program: string, { kind, choices }: CompletionValue): string {
  switch (kind) {
    case 'choice':
    case 'command':
      return `-a ${quote(choices.join(' '))}`;
    case 'file':
      return '-F';
    case 'folder':
      return "-a '(__fish_complete_directories (commandline -ct))'";
    case 'socket':
      return `-a '(__${program}_sockets)'`;
    case 'address':
      return `-a '(__${program}_addresses)'`;
    case 'program':
      return "-a '(__fish_complete_command)'";
    case 'text':
      return '';
  }
}

function writeHelpers(program: string): string {
  return `function __${program}_command
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end
function __${program}_at_start
    set -l command (__${program}_command)
    test -z "$command"
end
function __${program}_runs
    set -l command (__${program}_command)
    test "$command" = $argv[1]
end
function __${program}_sockets
    for path in (commandline -ct)*
        if test -d $path
            echo $path/
        else if test -S $path
            echo $path
        end
    end
end
function __${program}_addresses
    if contains -- -- (commandline -opc)
        set -l words (commandline -opc) (commandline -ct)
        set -l at (contains -i -- -- $words)
        __fish_complete_subcommand --commandline $words[(math $at + 1)..-1]
    else if string match -qr '^[./~]' -- (commandline -ct)
        __${program}_sockets
    else
        echo localhost
        __fish_print_hostnames
    end
end`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
