/** A process that is one native flow between two of its descriptors: node carrier.ts SOURCE-FD SINK-FD. */
import { spliceFlow } from '../../src/flow/splice-flow.ts';

const [source = 0, sink = 1] = process.argv.slice(2).map(Number);
const ending = await spliceFlow({ source, sink })?.ended;
if (!ending) process.exitCode = 70;
else if (ending.reason !== 'eof') process.exitCode = 1;
