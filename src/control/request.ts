import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** A request to the control address that has been admitted and read. */
export interface ControlRequest {
  readonly method: string;
  /** The parts of the path, decoded: `/v1/pairs/my%20pair` is `['v1', 'pairs', 'my pair']`, and `/` is `[]`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The body as it was sent; '' when there is none. */
  readonly text: string;
  /** The body read as JSON; undefined when there is none. One that is not JSON has been refused. */
  readonly body: unknown;
}

/** What a request is answered with. */
export interface ControlAnswer {
  readonly status: number;
  /** Added to those that every answer has. The content type of a string or a stream has to be here. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. A stream is destroyed when its reader is gone. Default: no body. */
  readonly body?: object | string | Readable;
}

/**
 * Answers the requests of one interface; undefined: it has no such path.
 *
 * Errors: a TnetError becomes an error answer of the interface of /v1/ (docs/control.yaml); whoever has another form of
 * errors catches them.
 */
export type AnswerControl = (request: ControlRequest) => Promise<ControlAnswer | undefined>;
