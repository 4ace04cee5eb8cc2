import { createSenderDecoder } from '../../protocol/file-transfer/decode.ts';
import { encodeFileMessage } from '../../protocol/file-transfer/encode.ts';
import { violation } from '../../protocol/protocol-error.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';

/** Says that files can be sent, and reads how many are to come. See ReadGreeting. */
export const readFilesStart: ReadGreeting = async (client, soFar, limits) => {
  const reader = new HeadReader(client, limits, soFar);
  const decoder = createSenderDecoder();
  client.write(encodeFileMessage({ kind: 'ready' }));
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk)
      throw violation(
        'file-transfer',
        'cut-short',
        'the client ended before it had said how many files come',
      );
    const [start, ...messages] = decoder.receive(chunk);
    if (start?.kind !== 'start') continue;
    return { ...soFar, files: { files: start.files, decoder, messages } };
  }
};
