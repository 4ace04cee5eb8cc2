import type { EndingReason } from '../../flow/flow.ts';
import { startRelay, type Relay } from '../../flow/relay.ts';
import type { Connection } from '../../net/connection.ts';
import type { ConnectionRecord } from '../../record/recording.ts';
import type { OpenConnection } from '../../serve/ledger.ts';
import { interrupted, watchLimits, type Closing, type Cut } from './cut.ts';
import type { RelayOptions } from './service.ts';

/** What is joined. */
export interface Ends {
  readonly client: Connection;
  readonly target: Connection;
  /** Bytes of the client that precede what its socket delivers. */
  readonly early: Buffer | undefined;
  readonly records: readonly ConnectionRecord[];
}

/** How a relayed connection ended, and how each side is to be closed. */
export interface Outcome {
  readonly reason: EndingReason;
  readonly error?: Error;
  /** What the error is about, when it is not the client. */
  readonly subject?: string;
  readonly client: Closing;
  readonly target: Closing;
  /** Whether the target has sent anything. */
  readonly hasAnswered: boolean;
  /** See Cut. */
  readonly isCut?: boolean;
  readonly withinMs?: number;
}

/**
 * Relays until both directions are over or a limit ends it. Recordings hold what the client has sent, before any
 * fault, and what it gets, after all of them, without telnet. Closes neither side.
 */
export async function join(
  { client, target, early, records }: Ends,
  entry: OpenConnection,
  { pair: { values }, faults: pairFaults, createTelnet, datagrams }: RelayOptions,
): Promise<Outcome> {
  let cut: Cut | undefined;
  const cutOff = (how: Cut) => {
    cut ??= how;
    relay.stop(how.reason, how.error);
  };
  const faults = pairFaults?.open(entry.id, {
    close(direction) {
      // What has come through is delivered first.
      void relay[direction].ended.then(() => cutOff({ reason: 'limit', closing: 'close' }));
    },
    reset: () => cutOff({ reason: 'limit', closing: 'reset' }),
    needed: () => relay.useTransforms(),
  });
  const { timeout, halfClosed } = values;
  // With a UDP end, the session is watched instead: see createDatagramSessions().
  const idle = datagrams ? undefined : values.idle;
  const limits = watchLimits({ idle, timeout, halfClosed }, cutOff);
  const session = datagrams?.watch(() => relay, cutOff);
  const inStream = faults
    ? { up: [faults.up], down: [faults.down], holdMs: faults.holdMs }
    : { up: [], down: [] };
  const ways = datagrams?.open(entry.id, inStream) ?? inStream;
  const telnet = createTelnet?.(client, target);
  const upTransforms = [...(telnet ? [telnet.decoder] : []), ...records.map(({ sent }) => sent), ...ways.up];
  const downTransforms = [
    ...ways.down,
    ...records.map(({ received }) => received),
    ...(telnet ? [telnet.encoder] : []),
  ];
  // Nobody may ever look at the bytes; until then the engine carries them.
  const later = records.flatMap((record) => record.later ?? []);
  const isLater = !telnet && !datagrams && faults?.isIdle !== false && later.length === records.length;
  // What transforms are given is counted with what passes them.
  let earlyBytes = 0;
  if (early && isLater) target.write(early, (error) => void (earlyBytes = error ? 0 : early.length));
  else if (early) (upTransforms[0] ?? target).write(early);
  const relay: Relay = startRelay({
    client,
    target,
    upTransforms,
    downTransforms,
    ...(isLater && {
      later: {
        onSwitch(goOn) {
          const sent = { bytes: relay.up.bytesRead + (early?.length ?? 0), isOver: !goOn.up };
          const received = { bytes: relay.down.bytesRead, isOver: !goOn.down };
          for (const { begin } of later) begin({ sent, received });
        },
      },
    }),
    onActivity: session?.onActivity ?? limits?.onActivity,
    holdMs: ways.holdMs,
  });
  if (isLater)
    for (const { arrange, begin } of later) {
      // What cannot be carried by the engine passes from the beginning: from behind what was read early.
      begin({ sent: { bytes: early?.length ?? 0, isOver: false }, received: { bytes: 0, isOver: false } });
      arrange(() => relay.useTransforms());
    }
  entry.moved = () => ({ sentBytes: relay.down.bytes, receivedBytes: earlyBytes + relay.up.bytes });
  const endsInOrder = datagrams?.ends.client === true && datagrams.ends.target;
  entry.endsInOrder = endsInOrder;
  entry.breakOff = () => cutOff({ ...interrupted, ...(endsInOrder && { closing: 'close', isCut: false }) });
  session?.start();
  limits?.start(relay);
  const { up, down, broken, error, hasLeft, restMs } = await relay.ended;
  limits?.clear();
  faults?.close();
  session?.clear();
  const hasAnswered = relay.down.bytesRead > 0;
  // The engine may have carried both to their ends before we heard of it.
  const wasOver = up.reason === 'eof' && down.reason === 'eof';
  if (cut && !(cut.isCut && wasOver))
    return { ...cut, hasAnswered, client: cut.closing, target: cut.closing };
  return {
    reason: error ? 'reset' : up.reason === 'eof' ? down.reason : up.reason,
    // The side that had ended before has left: more data arriving for it is not a failure.
    error: hasLeft ? undefined : error,
    withinMs: restMs,
    hasAnswered,
    ...(datagrams && broken === 'target' && { subject: entry.target }),
    client: broken === 'target' ? 'reset' : 'close',
    target: broken === 'client' ? 'reset' : 'close',
  };
}
