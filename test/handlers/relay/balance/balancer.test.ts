import test from 'ava';
import fc from 'fast-check';
import { Balancer, type BalanceAlgorithm } from '../../../../src/handlers/relay/balance/balancer.ts';

function balancerOf(way: BalanceAlgorithm, ...names: string[]): Balancer {
  const balancer = new Balancer({ way, fall: 2, rise: 2, ejectMs: 1000 });
  balancer.setMembers(names.map((name) => ({ name, endpoint: { kind: 'tcp', port: 1 }, host: undefined })));
  return balancer;
}

const firsts = (balancer: Balancer, count: number, client = 'c', now = 0) =>
  Array.from({ length: count }, () => balancer.order(client, now)[0]!.name).join('');

test('round-robin takes turns', (t) => t.is(firsts(balancerOf('round-robin', 'a', 'b', 'c'), 7), 'abcabca'));

test('first takes the first, and all others in their order after it', (t) => {
  const balancer = balancerOf('first', 'a', 'b', 'c');
  t.is(firsts(balancer, 3), 'aaa');
  t.deepEqual(
    balancer.order('c', 0).map(({ name }) => name),
    ['a', 'b', 'c'],
  );
});

test('least takes the one with the fewest open connections, and turns among equals', (t) => {
  const balancer = balancerOf('least', 'a', 'b', 'c');
  balancer.members[0]!.open = 2;
  balancer.members[1]!.open = 1;
  t.is(firsts(balancer, 2), 'cc');
  balancer.members[2]!.open = 1;
  t.is(new Set(firsts(balancer, 4)).size, 2);
});

test('hash sends a client to the same target, and moves only the clients of one that leaves', (t) => {
  const all = balancerOf('hash', 'a', 'b', 'c');
  const fewer = balancerOf('hash', 'a', 'b');
  const counts = new Map<string, number>();
  for (let index = 0; index < 300; index++) {
    const client = `10.0.0.${index}`;
    const before = firsts(all, 1, client);
    t.is(firsts(all, 1, client), before);
    if (before !== 'c') t.is(firsts(fewer, 1, client), before);
    counts.set(before, (counts.get(before) ?? 0) + 1);
  }
  t.true([...counts.values()].every((count) => count > 60));
});

test('a target that refuses is left out for a while, then tried again', (t) => {
  const balancer = balancerOf('first', 'a', 'b');
  const [a] = balancer.members;
  t.false(balancer.refused(a!, 0));
  t.true(balancer.refused(a!, 0));
  t.is(firsts(balancer, 1, 'c', 500), 'b');
  t.is(balancer.order('c', 500).length, 2, 'as a last resort it is still there');
  t.is(firsts(balancer, 1, 'c', 1000), 'a');
  t.true(balancer.taken(a!));
  t.false(balancer.taken(a!));
});

test('a target that was silent for its whole time is left out at once', (t) => {
  const balancer = balancerOf('first', 'a', 'b');
  t.true(balancer.refused(balancer.members[0]!, 0, true));
  t.is(firsts(balancer, 1, 'c', 500), 'b');
});

test('a target in doubt is tried after the sure ones and before those that are left out', (t) => {
  const balancer = balancerOf('first', 'a', 'b', 'c');
  const [a, b] = balancer.members;
  a!.isUp = false;
  b!.doubts = 1;
  t.deepEqual(
    balancer.order('c', 0).map(({ name }) => name),
    ['c', 'b', 'a'],
  );
});

test('checks take a target out after so many failures and back after so many successes', (t) => {
  const balancer = balancerOf('first', 'a', 'b');
  const [a] = balancer.members;
  t.false(balancer.checked(a!, false));
  t.false(balancer.checked(a!, true), 'a success in between starts the count again');
  t.false(balancer.checked(a!, false));
  t.true(balancer.checked(a!, false));
  t.is(firsts(balancer, 1), 'b');
  t.false(balancer.checked(a!, true));
  t.true(balancer.checked(a!, true));
  t.is(firsts(balancer, 1), 'a');
});

test('a member that stays keeps what is known about it', (t) => {
  const balancer = balancerOf('first', 'a', 'b');
  const [, b] = balancer.members;
  b!.open = 5;
  balancer.setMembers(
    ['b', 'c', 'c'].map((name) => ({ name, endpoint: { kind: 'tcp', port: 1 }, host: undefined })),
  );
  t.deepEqual(
    balancer.members.map(({ name, open }) => [name, open]),
    [
      ['b', 5],
      ['c', 0],
    ],
  );
});

const ways = ['round-robin', 'least', 'first', 'hash'] as const;
for (const way of ways) {
  test(`${way} gives a client every member once, those that can be used first, whatever has happened to them`, (t) => {
    const histories = fc.array(
      fc.record({
        member: fc.nat({ max: 4 }),
        open: fc.nat({ max: 3 }),
        doubts: fc.nat({ max: 1 }),
        isUp: fc.boolean(),
        ejectedUntil: fc.constantFrom(0, 50, 150),
      }),
      { maxLength: 8 },
    );
    const now = 100;
    fc.assert(
      fc.property(histories, fc.string(), (history, client) => {
        const balancer = balancerOf(way, 'a', 'b', 'c', 'd', 'e');
        for (const { member, ...state } of history) Object.assign(balancer.members[member]!, state);
        const order = balancer.order(client, now);
        t.deepEqual(order.map(({ name }) => name).sort(), ['a', 'b', 'c', 'd', 'e']);
        const ranks = order.map(({ isUp, ejectedUntil, doubts }) =>
          !isUp || ejectedUntil > now ? 2 : Math.min(doubts, 1),
        );
        t.deepEqual(
          ranks,
          ranks.toSorted((one, other) => one - other),
        );
      }),
    );
  });
}

test('hash gives a client the same order every time, whatever order the members were named in', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 4 }), (client, names) => {
      const orderOf = (some: readonly string[]) =>
        balancerOf('hash', ...some)
          .order(client, 0)
          .map(({ name }) => name);
      t.deepEqual(orderOf(names), orderOf(['a', 'b', 'c', 'd']));
    }),
  );
});

test('a disabled member is not even a last resort, and stays disabled when it leaves and comes back', (t) => {
  const balancer = balancerOf('first', 'a', 'b');
  const all = [...balancer.members];
  t.true(balancer.setEnabled('a', false));
  t.false(balancer.setEnabled('c', false));
  all[1]!.isUp = false;
  t.deepEqual(
    balancer.order('c', 0).map(({ name }) => name),
    ['b'],
  );
  balancer.setMembers([all[1]!]);
  balancer.setMembers(all);
  t.deepEqual(
    balancer.members.map(({ isEnabled }) => isEnabled),
    [false, true],
  );
  t.true(balancer.setEnabled('a', true));
  t.is(firsts(balancer, 1), 'a');
});
