import { TnetError } from '../../../errors.ts';
import type { NamePart, Pair, PairValues } from '../pair.ts';
import { findDatagramEnds, isDatagramTarget, type DatagramEnds } from '../targets/target.ts';

type Name = keyof PairValues;

/** What a client that sends datagrams cannot do or be asked for. */
const needStreamClient: readonly Name[] = [
  'acceptProxy',
  'sendProxy',
  'socks',
  'httpConnect',
  'route',
  'tlsIn',
  'halfClosed',
];

/** What a target that takes datagrams cannot do or be asked for. */
const needStreamTarget: readonly Name[] = ['sendProxy', 'tlsOut', 'health', 'route', 'halfClosed'];

/** What is done to a stream and not to datagrams. */
const needStream: readonly Name[] = [
  'slice',
  'sliceSize',
  'sliceDelay',
  'dropAfter',
  'resetAfter',
  'slowClose',
];

/**
 * Checks that a pair with a UDP end asks for nothing that datagrams cannot do, and one without for nothing that only
 * they can.
 *
 * @throws TnetError TNET_E_USAGE with the part that does not make sense as its subject
 */
export function checkDatagrams({ listen, targets, values }: Pair, name: NamePart): void {
  if (targets.some(isDatagramTarget) && !targets.every(isDatagramTarget)) {
    throw refuse(name('targets'), 'udp:// stands before all targets or before none');
  }
  if (values.route?.some((route) => route.targets.some(isDatagramTarget))) {
    throw refuse(name('route'), 'a route leads to a stream, not to UDP');
  }
  const ends = findDatagramEnds(listen, targets);
  checkOwn(ends, values, name);
  const refuseFirst = (keys: readonly Name[], reason: string) => {
    const senseless = keys.find((key) => values[key] !== undefined);
    if (senseless) throw refuse(name(senseless), reason);
  };
  if (ends?.client) {
    refuseFirst(needStreamClient, 'clients of UDP send datagrams, and it needs a stream');
    refuseFirst(['reject'], 'clients of UDP cannot wait: those beyond -m are always turned away');
  }
  if (ends?.target) refuseFirst(needStreamTarget, 'targets of UDP take datagrams, and it needs a stream');
  if (ends?.client && ends.target) refuseFirst(needStream, 'it needs a stream, and both ends are UDP');
}

function checkOwn(ends: DatagramEnds | undefined, { loss, framing }: PairValues, name: NamePart): void {
  if (loss !== undefined && !(ends?.client && ends.target)) {
    throw refuse(name('loss'), 'makes sense only between two udp:// ends: a stream loses nothing');
  }
  if (framing !== undefined && (ends === undefined || ends.client === ends.target)) {
    throw refuse(name('framing'), 'makes sense only between a udp:// end and a stream');
  }
}

function refuse(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject });
}
