import type { TerminalMode, WindowSize } from '../../src/dial/terminal.ts';
import type { Connection } from '../../src/net/connection.ts';
import {
  nameOption,
  telnetOptions,
  telnetVerbs,
  type TelnetCommand,
  type TelnetVerb,
} from '../../src/protocol/telnet/codes.ts';
import { TelnetCodec } from '../../src/protocol/telnet/telnet-codec.ts';
import type { TelnetEvent } from '../../src/protocol/telnet/codec-options.ts';
import { TelnetStreams } from '../../src/transform/telnet-streams.ts';
import type { Context } from '../context.ts';

/** The port of telnet servers: the only one where a client may speak first without being asked to. */
const telnetPort = 23;
/** What telnet(1) sends for a terminal that has no speed of its own. */
const terminalSpeed = [38_400, 38_400] as const;

export interface TelnetLinkOptions {
  readonly context: Context;
  readonly socket: Connection;
  readonly isActive: boolean;
  /** The name to log in by, for a server that asks. */
  readonly user?: string | undefined;
  /** Whether a user is at a terminal. */
  readonly isInteractive: boolean;
}

/** The telnet side of a session. */
export class TelnetLink {
  readonly streams: TelnetStreams;
  /** Called when the peer's options ask for another mode of the terminal. */
  onModeChange: (() => void) | undefined;
  readonly #codec: TelnetCodec;
  /** What a peer that asks is answered. */
  readonly #environment = new Map<string, string>();
  readonly #context: Context;
  readonly #socket: Connection;

  constructor({ context, socket, isActive, user, isInteractive }: TelnetLinkOptions) {
    if (user !== undefined) this.#environment.set('USER', user);
    this.#context = context;
    this.#codec = new TelnetCodec({
      role: 'client',
      active: isActive || socket.remotePort === telnetPort,
      terminalType: readTerminalType(),
      terminalSpeed: isInteractive ? terminalSpeed : undefined,
      environment: this.#environment,
      timingMark: isInteractive ? 'wont' : 'will',
    });
    this.streams = new TelnetStreams({
      codec: this.#codec,
      peer: socket,
      isInteractive,
      onEvent: (event) => this.#tell(event),
    });
    this.#socket = socket;
  }

  /** Speaks first, if that is our part. */
  start(): void {
    this.#socket.write(this.#codec.start());
  }

  /** The mode that the options of the peer ask for: RFC 857 and RFC 858. */
  get mode(): 'line' | 'hidden-line' | 'character' {
    if (!this.#codec.isOn('remote', telnetOptions.echo)) return 'line';
    return this.#codec.isOn('remote', telnetOptions['suppress-go-ahead']) ? 'character' : 'hidden-line';
  }

  askForMode(mode: Extract<TerminalMode, 'line' | 'character'>): void {
    for (const option of [telnetOptions.echo, telnetOptions['suppress-go-ahead']]) {
      const codec = this.#codec;
      this.streams.send(mode === 'line' ? codec.disable('remote', option) : codec.enable('remote', option));
    }
  }

  resize({ columns, rows }: WindowSize): void {
    this.streams.send(this.#codec.resize(columns, rows));
  }

  sendCommand(command: TelnetCommand): void {
    this.streams.send(this.#codec.send(command));
  }

  /** Sends what is wanted of an option, unless that has been sent. */
  negotiate(verb: TelnetVerb, option: number): void {
    const side = verb === 'do' || verb === 'dont' ? 'remote' : 'local';
    const isOn = verb === 'do' || verb === 'will';
    this.streams.send(isOn ? this.#codec.enable(side, option) : this.#codec.disable(side, option));
  }

  /** Turns an option of ours or of the peer's on, or off where it is on. */
  toggle(option: number, sides: readonly ('local' | 'remote')[]): void {
    for (const side of sides) {
      const isOn = this.#codec.isOn(side, option);
      this.streams.send(isOn ? this.#codec.disable(side, option) : this.#codec.enable(side, option));
    }
  }

  get environment(): ReadonlyMap<string, string> {
    return this.#environment;
  }

  /** Changes a variable; undefined: removes it. */
  define(name: string, value: string | undefined): void {
    if (value === undefined) this.#environment.delete(name);
    else this.#environment.set(name, value);
    this.streams.send(this.#codec.informEnvironment(name));
  }

  /** Which options are on, in words. */
  describe(): readonly string[] {
    const { will, do: remote } = this.#codec.status;
    const list = (options: readonly number[]) => options.map(nameOption).join(', ') || 'none';
    return [`options here: ${list(will)}`, `options of the peer: ${list(remote)}`];
  }

  #tell(event: TelnetEvent): void {
    if (event.type === 'option') this.onModeChange?.();
    const text = describeEvent(event);
    if (text !== undefined) this.#context.reporter.emit({ event: 'telnet', id: 1, ...text });
  }
}

/** As telnet(1) sends it: in capitals, which RFC 1091 makes equal. None when TERM has no value that can be sent. */
function readTerminalType(): string[] {
  const name = process.env['TERM']?.toUpperCase() ?? '';
  return /^[\x21-\x7e]{1,40}$/.test(name) ? [name] : [];
}

const verbsByCode = new Map(Object.entries(telnetVerbs).map(([verb, code]) => [code as number, verb]));

function describeEvent(
  event: TelnetEvent,
): { readonly direction: 'received' | 'sent'; readonly what: string } | undefined {
  switch (event.type) {
    case 'negotiation':
      return { direction: 'received', what: `${event.verb} ${nameOption(event.option)}` };
    case 'reply':
      return { direction: 'sent', what: describeReply(event.bytes) };
    case 'command':
      return { direction: 'received', what: event.command };
    case 'anomaly':
      return { direction: 'received', what: event.anomaly };
    case 'subnegotiation':
      return { direction: 'received', what: `subnegotiation of ${nameOption(event.option)}` };
    default:
      return undefined;
  }
}

function describeReply(bytes: Buffer): string {
  const [, verb = 0, option = 0] = bytes;
  return `${verbsByCode.get(verb) ?? 'subnegotiation of'} ${nameOption(option)}`;
}
