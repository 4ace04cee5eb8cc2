import type { TnetError } from '../errors.ts';
import { admit, admitPath, type AdmissionRules, type RequestHead } from './admission.ts';
import { answerError, Problem } from './problem.ts';
import type { AnswerControl, ControlAnswer, ControlRequest } from './request.ts';
import { isToxiproxyTarget, toToxiproxyAnswer } from './toxiproxy/errors.ts';

/** What answers the requests to a control address. */
export interface ControlOptions extends AdmissionRules {
  /** The interfaces, each asked in turn until one has the path. */
  readonly interfaces: readonly AnswerControl[];
  /** Nothing may be changed any more: the proxy is ending. */
  readonly isEnding: () => boolean;
  /** Reports a fault of tnet. */
  readonly report: (fault: TnetError) => void;
}

/** Answers requests, without the connections by which they come. */
export class Control {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /**
   * Answers a request. Never rejects.
   *
   * @param readText reads its body, once it is wanted
   */
  async answer(head: RequestHead, readText: () => Promise<string>): Promise<ControlAnswer> {
    try {
      const isKnown = admit(head, this.#options);
      if (head.method !== 'GET' && head.method !== 'HEAD' && this.#options.isEnding())
        throw new Problem('UNAVAILABLE', 'the proxy is ending');
      const request = readRequest(head, await readText());
      admitPath(request.path, this.#options, isKnown);
      for (const answer of this.#options.interfaces) {
        const answered = await answer(request);
        if (answered) return answered;
      }
      throw new Problem('NOT_FOUND', 'there is no such path', { subject: `/${request.path.join('/')}` });
    } catch (error) {
      const answered = answerError(error, this.#options.report);
      return isToxiproxyTarget(head.target) ? toToxiproxyAnswer(answered) : answered;
    }
  }
}

/** @throws Problem */
function readRequest({ method, target, headers }: RequestHead, text: string): ControlRequest {
  const [, path, query = ''] = /^(?:https?:\/\/[^/?#]+)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(target) ?? [];
  if (path === undefined) throw new Problem('BAD_REQUEST', 'the target of the request is not a path');
  return {
    method,
    path: path
      .split('/')
      .slice(1)
      .map(decode)
      .filter((part, at, all) => part !== '' || at < all.length - 1),
    query: new URLSearchParams(query),
    headers,
    text,
    body: text === '' ? undefined : parseJson(text),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Problem('BAD_REQUEST', 'the path has a % that is no escape', { subject: part });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Problem(
      'BAD_REQUEST',
      `the body is not JSON: ${(error as Error).message.replace(/\s+/g, ' ')}`,
    );
  }
}
