import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import type { Seen } from '../../src/dial/check.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import type { Connection } from '../../src/net/connection.ts';
import type { Step } from '../../src/transform/dialogue.ts';
import { readSteps } from './dialogue.ts';
import type { ClientRun } from './dial-options.ts';
import type { Goals } from './goals.ts';
import type { ConnectOptions } from './options.ts';

/** How long a UDP port may take to answer where -w does not say it, and how often it is asked in that time. */
const [answerMs, sends] = [2_000, 3];

/** What a check does in place of connecting: nothing, unless a condition is waited for or the endpoint is one of UDP. */
export function createLook(
  { hasOwnLimit }: ClientRun,
  { condition }: Goals,
  options: ConnectOptions,
): (endpoint: Endpoint, dialOptions: DialOptions) => Promise<Seen | undefined> {
  const steps = readSteps(options);
  const isSeries = options.count !== undefined || options.interval !== undefined;
  return async (endpoint, dialOptions) => {
    if (condition !== undefined) {
      const { awaitCondition } = await import('../../src/dial/conditions.ts');
      const { reason, address } = await awaitCondition(condition, endpoint, dialOptions);
      return { state: condition === 'closed' ? 'closed' : 'found', error: reason, remote: address };
    }
    // What is expected is looked for on the socket itself.
    if (endpoint.kind !== 'udp' || steps?.some(({ kind }) => kind === 'expect')) return undefined;
    const { probeDatagram } = await import('../../src/dial/datagram-probe.ts');
    const remote = await probeDatagram(endpoint, dialOptions, {
      datagrams: listDatagrams(steps),
      withinMs: hasOwnLimit ? options.waitConnect : answerMs,
      // Of a series, each try is one question.
      sends: isSeries ? 1 : sends,
    });
    return { state: 'open', remote };
  };
}

/** What is asked of a UDP port: what --send says, or a datagram without bytes. */
function listDatagrams(steps: readonly Step[] = []): Buffer[] {
  const written = steps.flatMap((step) => (step.kind === 'send' ? [step.bytes] : []));
  return written.length > 0 ? written : [Buffer.alloc(0)];
}

interface ProofOptions {
  readonly run: ClientRun;
  readonly goals: Goals;
  readonly options: ConnectOptions;
  /** Takes the status that a URL was answered with. */
  readonly statuses: Map<Endpoint, number>;
}

/** What a connection has to show before it counts. Undefined: who accepts is ready. */
export function createProof(
  endpoint: Endpoint,
  { run: { interruption }, goals, options, statuses }: ProofOptions,
): ((connection: Connection, timeoutMs: number | undefined) => Promise<void>) | undefined {
  const { signal } = interruption;
  const question = goals.questions.get(endpoint);
  const { waitHttp } = options;
  if (question && waitHttp) {
    return async (connection, timeoutMs) => {
      const { askHttp, requireStatus } = await import('../../src/dial/http-check.ts');
      const status = await askHttp(connection, question, { timeoutMs, signal });
      statuses.set(endpoint, status);
      requireStatus(waitHttp, status, goals.names.get(endpoint) ?? formatEndpoint(endpoint));
    };
  }
  const steps = readSteps(options);
  if (!steps) return undefined;
  return async (connection, timeoutMs) => {
    const { runSteps } = await import('./ready.ts');
    await runSteps(connection, { steps, options, timeoutMs, signal });
  };
}
