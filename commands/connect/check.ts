import { roundMs } from '../../src/quantities.ts';
import { checkAll, type CheckResult } from '../../src/dial/check.ts';
import { formatTargetEndpoint } from '../../src/address/endpoint.ts';
import { escapeText } from '../../src/transform/escape-controls.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { createCheckOptions, type CheckRun } from './check-run.ts';
import { CheckScreen } from './check-screen.ts';
import { type Checked, nameCheck } from './name-check.ts';
import { failureFields } from '../../src/report/sentences.ts';
import { exitStatus, writeResult } from '../output.ts';

/** How long a server that speaks first may take for it. */
const bannerMs = 300;

/**
 * Checks addresses in parallel, without a byte sent unless flags ask for that.
 *
 * @returns the exit status: 0 when the ones that have to accept did; else 124 when all the others timed out, or 1.
 */
export async function runCheck(run: CheckRun): Promise<number> {
  const { context, goals, options, interruption } = run;
  const { targets } = goals;
  if (options.count !== undefined || options.interval !== undefined) {
    const { runTries } = await import('./tries.ts');
    return runTries(run);
  }
  const wantsAll = options.any ? false : (options.all ?? run.wantsAll);
  const screen = new CheckScreen(goals, options);
  const failures = new Set<number>();
  const failed: CheckResult[] = [];
  const silent: CheckResult[] = [];
  let met = 0;
  // Without -z the check is only the first half of the work: what is missing has to be reported, at the end.
  const isSaid = options.check === true || options.verbose > 0 || options.json === true;
  const isHeard = options.verbose > 0 || options.json === true;
  const onResult = (result: CheckResult) => {
    if (result.isMet) met++;
    else failures.add(result.state === 'closed' ? exitCodes.failed : exitStatus(result.failure?.error));
    screen.count(result);
    if (isHeard) {
      const event = toEvent(result, run);
      if (!screen.take(event)) context.reporter.emit(event);
    }
    if (options.banner !== undefined && !options.json) printBanner(result);
    if (!result.isMet && !isSaid) failed.push(result);
    if (result.endpoint.kind === 'udp' && result.state === 'silent' && isSaid && !isHeard)
      silent.push(result);
    return options.any && met > 0 ? 'stop' : undefined;
  };
  const wantsBanner = isHeard && (context.reporter.isSeen || options.json === true) && isBare(run);
  await checkAll(targets, {
    ...(await createCheckOptions(run)),
    readDialOptions: async (endpoint) => screen.watch(endpoint, await run.readDialOptions(endpoint)),
    bannerMs: options.banner ?? (wantsBanner ? bannerMs : undefined),
    onResult,
  });
  await screen.finish(targets);
  if (interruption.status !== undefined) {
    if (context.reporter.isSeen) context.reporter.note(`stopped: ${screen.describe()}`);
    return interruption.status;
  }
  for (const { endpoint, failure } of failed)
    context.reporter.fail(nameCheck(endpoint, goals).address, failure?.error);
  tellSilence(silent, run);
  if (wantsAll ? failures.size === 0 : met > 0) return exitCodes.ok;
  return failures.size === 1 ? ([...failures][0] ?? exitCodes.failed) : exitCodes.failed;
}

/** Whether a connection is all that is looked for, so that what the server says first is still to be read. */
function isBare({ goals, options }: CheckRun): boolean {
  return !goals.condition && goals.questions.size === 0 && !options.expect && !options.send;
}

/** On stdout, a line for each address that accepts: the address, a tab, and what it said first. */
function printBanner({ endpoint, state, banner = '' }: CheckResult): void {
  if (state === 'open') writeResult(`${formatTargetEndpoint(endpoint)}\t${escapeText(banner)}\n`);
}

/**
 * Says which UDP ports gave no answer, which may mean either thing: one as a failure, of many their number. -v has said it
 * already.
 */
function tellSilence(silent: readonly CheckResult[], { context, goals }: CheckRun): void {
  const [first] = silent;
  if (!first) return;
  const subject = formatTargetEndpoint(first.endpoint);
  if (goals.targets.count === 1) context.reporter.fail(subject, first.failure?.error);
  else context.reporter.note(`${silent.length} of ${goals.targets.count} gave no answer: open or filtered`);
}

function toEvent(
  { endpoint, failure, durationMs, remote, state, banner }: CheckResult,
  { goals, statuses }: CheckRun,
): Checked {
  const place = remote === undefined ? {} : { remote };
  const wanted = goals.questions.has(endpoint) ? 'http' : goals.condition;
  const status = statuses.get(endpoint);
  return {
    event: 'checked',
    ...nameCheck(endpoint, goals),
    state,
    ...place,
    ...(failure && failureFields(failure.error)),
    durationMs: roundMs(durationMs),
    ...(banner !== undefined && { banner }),
    ...(wanted !== undefined && { wanted }),
    ...(status !== undefined && { status }),
  };
}
