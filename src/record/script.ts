import { TnetError } from '../errors.ts';
import type { RecordedConnection, RecordedDirection } from './record-format.ts';

/** `client` is the side that connected. */
export type Side = 'client' | 'server';

/** What one side did: it sent bytes, ended with a FIN, or broke off. Times are microseconds since 1970. */
export type ScriptStep =
  | { readonly side: Side; readonly atMicros: number; readonly bytes: Buffer }
  | { readonly side: Side; readonly atMicros: number; readonly end: 'eof' | 'reset' };

/** One recorded connection, as what its two sides did, in order. */
export interface Script {
  /** Its number in the recording. */
  readonly id: number;
  readonly openedMicros: number;
  readonly closedMicros: number;
  readonly steps: readonly ScriptStep[];
}

interface OpenScript {
  readonly id: number;
  readonly role: RecordedConnection['role'];
  readonly openedMicros: number;
  closedMicros: number;
  readonly steps: ScriptStep[];
}

/** Makes scripts from the contents of a recording, one occurrence after the other. */
export class ScriptBuilder {
  readonly #scripts: OpenScript[] = [];
  readonly #open = new Map<number, OpenScript>();
  readonly #subject: string;

  /** `subject` names the recording in errors. */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /** The scripts so far, in the order in which they were opened. */
  get scripts(): readonly Script[] {
    return this.#scripts;
  }

  opened(id: number, role: RecordedConnection['role'], atMicros: number): void {
    const script = { id, role, openedMicros: atMicros, closedMicros: atMicros, steps: [] };
    this.#scripts.push(script);
    this.#open.set(id, script);
  }

  data(id: number, direction: RecordedDirection, bytes: Buffer, atMicros: number): void {
    const script = this.#find(id, atMicros);
    if (bytes.length > 0) script.steps.push({ side: sideOf(script.role, direction), atMicros, bytes });
  }

  ended(id: number, direction: RecordedDirection, atMicros: number): void {
    const script = this.#find(id, atMicros);
    script.steps.push({ side: sideOf(script.role, direction), atMicros, end: 'eof' });
  }

  /** `reason` as in RecordedEnding. A side that broke off without having ended gets a step for that. */
  closed(id: number, reason: string, atMicros: number): void {
    const script = this.#find(id, atMicros);
    this.#open.delete(id);
    if (reason === 'eof') return;
    const peer: Side = script.role === 'dialled' ? 'server' : 'client';
    const side = reason === 'reset' ? peer : opposite(peer);
    const hasEnded = script.steps.some((step) => step.side === side && 'end' in step);
    if (!hasEnded) script.steps.push({ side, atMicros, end: 'reset' });
  }

  /** @throws TnetError TNET_E_RECORDING */
  fail(message: string): never {
    throw new TnetError('TNET_E_RECORDING', message, { subject: this.#subject });
  }

  #find(id: number, atMicros: number): OpenScript {
    const script = this.#open.get(id);
    if (!script) this.fail(`the beginning of connection ${id} is missing`);
    script.closedMicros = atMicros;
    return script;
  }
}

export function opposite(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}

function sideOf(role: RecordedConnection['role'], direction: RecordedDirection): Side {
  return (direction === 'sent') === (role === 'accepted') ? 'server' : 'client';
}

/** Compares what a peer really does with what was recorded of its side. Reports the first difference. */
export class Comparison {
  /** The first difference, once there is one. */
  difference: string | undefined;
  /** How many bytes have arrived. */
  receivedBytes = 0;
  /** How many were recorded. */
  readonly recordedBytes: number;
  readonly #chunks: readonly Buffer[];
  /** Whether the peer ended with a FIN. One that broke off, or was cut off, may end in any way. */
  readonly hadEnded: boolean;
  #chunk = 0;
  #offset = 0;

  constructor({ steps }: Script, side: Side) {
    const own = steps.filter((step) => step.side === side);
    this.#chunks = own.flatMap((step) => ('bytes' in step ? [step.bytes] : []));
    this.recordedBytes = this.#chunks.reduce((sum, { length }) => sum + length, 0);
    this.hadEnded = own.some((step) => 'end' in step && step.end === 'eof');
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.difference === undefined;) {
      const recorded = this.#chunks[this.#chunk]?.subarray(this.#offset);
      if (!recorded) {
        this.#differ(`goes on after the ${this.recordedBytes} bytes that were recorded`);
        break;
      }
      const length = Math.min(recorded.length, bytes.length - at);
      if (bytes.compare(recorded, 0, length, at, at + length) !== 0) this.#tell(bytes, at, recorded, length);
      at += length;
      this.#offset += length;
      if (length === recorded.length) {
        this.#chunk++;
        this.#offset = 0;
      }
    }
    this.receivedBytes += bytes.length;
  }

  /** The peer is over: it has ended, broken off, or done nothing for too long. */
  end(how: 'eof' | 'reset' | 'silence'): void {
    const verb = { eof: 'ended', reset: 'broke off', silence: 'fell silent' }[how];
    if (this.receivedBytes < this.recordedBytes)
      this.#differ(`${verb} after ${this.receivedBytes} of ${this.recordedBytes} bytes`);
    else if (how !== 'eof' && this.hadEnded) this.#differ(`${verb}, and had ended in the recording`);
  }

  #tell(bytes: Buffer, at: number, recorded: Buffer, length: number): void {
    let same = 0;
    while (same < length && bytes[at + same] === recorded[same]) same++;
    const place = this.receivedBytes + at + same;
    this.#differ(`byte ${place} is ${describe(bytes[at + same])}, and was ${describe(recorded[same])}`);
  }

  #differ(text: string): void {
    this.difference ??= text;
  }
}

/** `0x41 'A'` */
function describe(byte = 0): string {
  const hex = `0x${byte.toString(16).padStart(2, '0')}`;
  return byte > 0x20 && byte < 0x7f ? `${hex} '${String.fromCharCode(byte)}'` : hex;
}
