import test from 'ava';
import fc from 'fast-check';
import { OptionState } from '../../../src/protocol/telnet/option-state.ts';

type Word = 'on' | 'off' | 'ask' | 'stop';

function step(state: OptionState, word: Word) {
  if (word === 'on') return state.receiveOn('accept');
  if (word === 'off') return state.receiveOff();
  return word === 'ask' ? state.ask() : state.stop();
}

/** RFC 1143 section 7, the transitions of "him" and of our own requests, reached by the words before the last. */
const rows: [words: Word[], send: string | undefined, isOn: boolean, note: string][] = [
  [['on'], 'do', true, 'NO: WILL is agreed to with DO'],
  [['on', 'on'], undefined, true, 'YES: WILL is ignored'],
  [['off'], undefined, false, 'NO: WONT is ignored'],
  [['on', 'off'], 'dont', false, 'YES: WONT is answered with DONT'],
  [['ask'], 'do', false, 'NO: asking sends DO'],
  [['ask', 'on'], undefined, true, 'WANTYES: WILL makes YES'],
  [['ask', 'off'], undefined, false, 'WANTYES: WONT makes NO'],
  [['ask', 'stop'], undefined, false, 'WANTYES: stopping is queued'],
  [['ask', 'stop', 'on'], 'dont', false, 'WANTYES OPPOSITE: WILL is answered with DONT'],
  [['ask', 'stop', 'off'], undefined, false, 'WANTYES OPPOSITE: WONT makes NO'],
  [['ask', 'stop', 'ask', 'on'], undefined, true, 'WANTYES OPPOSITE: asking again empties the queue'],
  [['on', 'stop'], 'dont', false, 'YES: stopping sends DONT'],
  [['on', 'stop', 'on'], undefined, false, 'WANTNO: WILL is an error and makes NO'],
  [['on', 'stop', 'off'], undefined, false, 'WANTNO: WONT makes NO'],
  [['on', 'stop', 'ask'], undefined, false, 'WANTNO: asking is queued'],
  [['on', 'stop', 'ask', 'on'], undefined, true, 'WANTNO OPPOSITE: WILL is an error and makes YES'],
  [['on', 'stop', 'ask', 'off'], 'do', false, 'WANTNO OPPOSITE: WONT is answered with DO'],
  [
    ['on', 'stop', 'ask', 'stop', 'off'],
    undefined,
    false,
    'WANTNO OPPOSITE: stopping again empties the queue',
  ],
];

for (const [words, send, isOn, note] of rows) {
  test(note, (t) => {
    const state = new OptionState('remote');
    const steps = words.map((word) => step(state, word));
    t.is(steps.at(-1)?.send, send as never);
    t.is(state.isOn, isOn);
  });
}

test('two ends with any wishes in any order always fall silent and agree', (t) => {
  const wishes = fc.array(fc.tuple(fc.boolean(), fc.constantFrom<Word>('ask', 'stop'), fc.nat(3)), {
    maxLength: 12,
  });
  const property = fc.property(wishes, (list) => {
    const ends = [new OptionState('local'), new OptionState('remote')] as const;
    const wires: string[][] = [[], []];
    const say = (from: 0 | 1, verb: string | undefined) => {
      if (verb) wires[from]!.push(verb);
    };
    const deliver = (from: 0 | 1) => {
      const verb = wires[from]!.shift();
      const to = from === 0 ? 1 : 0;
      if (verb) say(to, step(ends[to], verb === 'will' || verb === 'do' ? 'on' : 'off').send);
    };
    for (const [isLeft, word, deliveries] of list) {
      const end = isLeft ? 0 : 1;
      say(end, step(ends[end], word).send);
      for (let count = 0; count < deliveries; count += 1) deliver(count % 2 === 0 ? 0 : 1);
    }
    let rounds = 0;
    for (; wires[0]!.length + wires[1]!.length > 0 && rounds < 100; rounds += 1) {
      deliver(0);
      deliver(1);
    }
    t.true(rounds < 100);
    t.is(ends[0].isOn, ends[1].isOn);
  });
  fc.assert(property, { numRuns: 2000 });
});
