import { TnetError } from '../errors.ts';
import type { RecordedConnection, RecordedDirection } from './record-format.ts';

/** `client` is who called. */
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

/** Makes scripts from what a recording tells, one occurrence after the other. */
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

  /** `reason` as in RecordedEnding. A side that broke off without having ended is told so by a step. */
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
