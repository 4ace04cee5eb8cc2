import { extension, PerMessageDeflate, type Deflate, type FrameExtensions } from './websocket-library.ts';

/** What two ends have agreed on beside the frames. */
export interface AgreedExtensions {
  readonly deflate: FrameExtensions;
  /**
   * Whether the other end still reads after its own close frame: each end then sends its own when it has nothing more
   * to send, as on TCP. A common peer answers a close frame at once and drops what comes after it.
   */
  readonly halfClose: boolean;
}

export interface ExtensionWishes {
  readonly wantsDeflate: boolean;
  /** The most bytes of a message. */
  readonly maxBytes: number;
}

/**
 * tnet's own extension, which says that a close frame ends one direction. Extensions that are not known are not
 * answered, so that any other peer is unaffected. Source: RFC 6455, 9.
 */
const halfCloseName = 'tnet-half-close';
const deflateName = 'permessage-deflate';

function byName(deflate: Deflate | undefined): FrameExtensions {
  return deflate ? { [deflateName]: deflate } : {};
}

/** What a client offers: the value of Sec-WebSocket-Extensions, and the function that judges the answer. */
export function offerExtensions({ wantsDeflate, maxBytes }: ExtensionWishes): {
  readonly offer: string;
  /** @throws Error for an answer that does not fit the offer */
  readonly judge: (answer: string) => AgreedExtensions;
} {
  const deflate = new PerMessageDeflate({ isServer: false, maxPayload: maxBytes });
  const offers = { [halfCloseName]: {}, ...(wantsDeflate && { [deflateName]: deflate.offer() }) };
  return {
    offer: extension.format(offers),
    judge(answer) {
      const answers = answer === '' ? {} : extension.parse(answer);
      for (const name of Object.keys(answers)) {
        if (!Object.hasOwn(offers, name) || answers[name]?.length !== 1)
          throw new Error(`the server chooses the extension ${name}, which was not offered`);
      }
      const parameters = answers[deflateName];
      if (parameters) deflate.accept(parameters);
      return {
        deflate: byName(parameters && deflate),
        halfClose: answers[halfCloseName] !== undefined,
      };
    },
  };
}

/**
 * What a server answers to an offer: the value of Sec-WebSocket-Extensions, '' for none.
 *
 * @throws Error for an offer that cannot be read
 */
export function answerExtensions(
  offer: string,
  { wantsDeflate, maxBytes }: ExtensionWishes,
): { readonly answer: string; readonly agreed: AgreedExtensions } {
  const offers = offer === '' ? {} : extension.parse(offer);
  const halfClose = offers[halfCloseName] !== undefined;
  const offered = wantsDeflate ? offers[deflateName] : undefined;
  const deflate = offered && new PerMessageDeflate({ isServer: true, maxPayload: maxBytes });
  const answer = extension.format({
    ...(halfClose && { [halfCloseName]: {} }),
    ...(deflate && { [deflateName]: deflate.accept(offered) }),
  });
  return { answer, agreed: { deflate: byName(deflate), halfClose } };
}
