import test from 'ava';
import fc from 'fast-check';
import {
  Balancer,
  type BalanceAlgorithm,
  type BalancerOptions,
  type MemberTarget,
} from '../../../../src/handlers/relay/balance/balancer.ts';
import { splitSettings } from '../../../../src/handlers/relay/targets/settings.ts';

const endpoint = { kind: 'tcp', port: 1 } as const;

/** `a:3` is a member of weight 3; with more settings behind commas. */
function membersOf(words: readonly string[]): MemberTarget[] {
  return words.map((word) => {
    const [text = '', ...rest] = word.split(',');
    const [name = '', weight] = text.split(':');
    const { settings } = splitSettings([name, ...rest].join(','));
    return {
      ...{ name, endpoint, host: undefined },
      settings: { ...settings, ...(weight && { weight: Number(weight) }) },
    };
  });
}

function weighted(options: Partial<BalancerOptions>, ...words: string[]): Balancer {
  const balancer = new Balancer({ way: 'round-robin', fall: 1, rise: 1, ejectMs: 1000, ...options });
  balancer.setMembers(membersOf(words));
  return balancer;
}

const namesOf = (members: readonly { readonly name: string }[]) => members.map(({ name }) => name).join('');

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
  t.true(balancer.taken(a!, 1000));
  t.false(balancer.taken(a!, 1000));
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
  t.false(balancer.checked(a!, false, 0));
  t.false(balancer.checked(a!, true, 0), 'a success in between starts the count again');
  t.false(balancer.checked(a!, false, 0));
  t.true(balancer.checked(a!, false, 0));
  t.is(firsts(balancer, 1), 'b');
  t.false(balancer.checked(a!, true, 0));
  t.true(balancer.checked(a!, true, 0));
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
  t.true(balancer.setEnabled('a', false, 0));
  t.false(balancer.setEnabled('c', false, 0));
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
  t.true(balancer.setEnabled('a', true, 0));
  t.is(firsts(balancer, 1), 'a');
});

test('weights spread the turns evenly', (t) => {
  t.is(firsts(weighted({}, 'a:5', 'b', 'c'), 14), 'aaabcaaaaabcaa');
});

test('over a whole round each member has as many turns as its weight says', (t) => {
  const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(weights, fc.nat({ max: 3 }), (all, rounds) => {
      const balancer = weighted(
        {},
        ...all.map((weight, index) => `${String.fromCharCode(97 + index)}:${weight}`),
      );
      const told = firsts(balancer, all.reduce((sum, weight) => sum + weight, 0) * rounds);
      all.forEach((weight, index) => {
        t.is(told.split(String.fromCharCode(97 + index)).length - 1, weight * rounds);
      });
    }),
    { numRuns: 50 },
  );
});

test('when one that takes turns leaves, those of the others are as they were', (t) => {
  const balancer = weighted({}, 'a', 'b', 'c');
  t.is(firsts(balancer, 2), 'ab');
  balancer.members[1]!.isUp = false;
  t.is(firsts(balancer, 4), 'caca');
  balancer.members[1]!.isUp = true;
  t.is(firsts(balancer, 6).split('b').length - 1, 2, 'and who is back has missed its turns');
});

test('least compares the open connections with the weights', (t) => {
  const balancer = weighted({ way: 'least' }, 'a:3', 'b');
  const [a, b] = balancer.members;
  for (let count = 0; count < 8; count++) balancer.order('c', 0)[0]!.open++;
  t.deepEqual([a!.open, b!.open], [6, 2]);
});

const clients = fc.array(fc.string(), { minLength: 1, maxLength: 50 });
const group = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 256 })), {
  selector: ([name]) => name,
  minLength: 2,
  maxLength: 8,
});
const toTargets = (all: readonly (readonly [string, number])[]) =>
  all.map(([name, weight]) => ({ name, endpoint, host: undefined, settings: { weight } }));

for (const [what, leave] of [
  [
    'is no longer named',
    (balancer, gone) => balancer.setMembers(balancer.members.filter((one) => one !== gone)),
  ],
  ['is down', (_, gone) => Object.assign(gone, { isUp: false })],
  ['is disabled', (balancer, gone) => balancer.setEnabled(gone.name, false, 0)],
  ['is full', (_, gone) => Object.assign(gone, { open: 1, settings: { ...gone.settings, max: 1 } })],
] as readonly [string, (balancer: Balancer, gone: Balancer['members'][number]) => unknown][]) {
  test(`hash moves only the clients of a member that ${what}, to where they would go next, and back again`, (t) => {
    fc.assert(
      fc.property(group, fc.nat(), clients, (all, pick, some) => {
        const balancer = weighted({ way: 'hash' });
        balancer.setMembers(toTargets(all));
        const before = some.map((client) => balancer.order(client, 0).map(({ name }) => name));
        const gone = balancer.members[pick % all.length]!;
        leave(balancer, gone);
        some.forEach((client, index) => {
          const left = before[index]!.filter((name) => name !== gone.name);
          t.is(balancer.order(client, 0)[0]?.name, left[0]);
        });
        const fresh = weighted({ way: 'hash' });
        fresh.setMembers(toTargets(all));
        some.forEach((client, index) => t.is(fresh.order(client, 0)[0]?.name, before[index]![0]));
      }),
    );
  });
}

test('hash moves clients to a member whose weight grows, and to no other', (t) => {
  fc.assert(
    fc.property(group, fc.nat(), clients, (all, pick, some) => {
      const grown = pick % all.length;
      const balancer = weighted({ way: 'hash' });
      balancer.setMembers(toTargets(all));
      const before = some.map((client) => balancer.order(client, 0)[0]?.name);
      balancer.setMembers(
        toTargets(all.map(([name, weight], index) => [name, index === grown ? 256 : weight])),
      );
      some.forEach((client, index) => {
        const after = balancer.order(client, 0)[0]?.name;
        if (after !== before[index]) t.is(after, all[grown]![0]);
      });
    }),
  );
});

test('hash gives a member its share of many clients', (t) => {
  const balancer = weighted({ way: 'hash' }, 'a:3', 'b');
  const told = Array.from({ length: 4_000 }, (_, index) =>
    firsts(balancer, 1, `10.0.${index >> 8}.${index & 255}`),
  );
  const share = told.filter((name) => name === 'a').length / told.length;
  t.true(share > 0.72 && share < 0.78, String(share));
});

test('a backup comes after every target that can be used, and before those that are left out', (t) => {
  const balancer = weighted({}, 'a', 'b,backup', 'c', 'd,backup');
  const [a, , c] = balancer.members;
  t.is(namesOf(balancer.order('c', 0)), 'acbd');
  a!.isUp = false;
  t.is(namesOf(balancer.order('c', 0)), 'cbda');
  c!.doubts = 1;
  t.is(namesOf(balancer.order('c', 0)).slice(0, 1), 'c', 'one in doubt is not down');
  c!.isUp = false;
  t.is(firsts(balancer, 4), 'bdbd', 'all backups share the clients then');
  a!.isUp = true;
  t.is(firsts(balancer, 2), 'aa');
});

test('a full target is passed over, and none takes the place of targets that are only full', (t) => {
  const balancer = weighted({ way: 'first' }, 'a,max=1', 'b,max=2', 'c,backup', 'd');
  const [a, b, c, d] = balancer.members;
  d!.isUp = false;
  const order = (tried: typeof balancer.members = []) => namesOf(balancer.order('c', 0, new Set(tried)));
  t.is(order(), 'abcd');
  a!.open = 1;
  t.is(order(), 'b');
  b!.open = 2;
  t.is(order(), '');
  t.true(balancer.hasFull());
  t.false(balancer.hasFree(0));
  t.is(order([a!, b!]), 'cd', 'for one that has tried them they are as if down');
  t.false(balancer.hasFull(new Set([a!, b!])));
  a!.isUp = b!.isUp = false;
  t.is(order(), 'cd');
  c!.isEnabled = false;
  t.is(order(), 'd');
  d!.isEnabled = false;
  t.is(order(), '');
  t.true(balancer.hasFull());
});

test('the share of a target that comes up grows slowly, and the clients of those that were up before are theirs', (t) => {
  const balancer = weighted({ slowStartMs: 1000 }, 'a', 'b:2');
  const [, b] = balancer.members;
  const shareOf = (now: number) => {
    const told = firsts(balancer, 300, 'c', now);
    return told.split('b').length - 1;
  };
  t.is(shareOf(0), 200, 'at the start all begin at once');
  balancer.checked(b!, false, 0);
  t.is(shareOf(0), 0);
  balancer.checked(b!, true, 5000);
  t.true(shareOf(5000) < 10);
  t.is(shareOf(5500), 150, 'after half the time the half of its weight');
  t.is(shareOf(6000), 200);
  balancer.refused(b!, 6000);
  t.is(shareOf(7500), 150, 'one that was left out begins when its time is over');
  balancer.taken(b!, 7500);
  t.true(shareOf(7500) < 10, 'as soon as it is known to accept');
});

test('a target that is enabled again, or that a name newly resolves to, starts slowly', (t) => {
  const balancer = weighted({ slowStartMs: 1000 }, 'a', 'b');
  balancer.setEnabled('b', false, 0);
  balancer.setEnabled('b', true, 100);
  t.true(firsts(balancer, 100, 'c', 200).split('b').length - 1 < 15);
  balancer.setEnabled('b', true, 200);
  t.is(firsts(balancer, 100, 'c', 1100).split('b').length - 1, 50, 'it was enabled already');
  balancer.setMembers(membersOf(['a', 'b', 'd']), 2000);
  t.true(firsts(balancer, 100, 'c', 2100).split('d').length - 1 < 10);
});

test('an address that two targets have is of the first one', (t) => {
  const balancer = weighted({}, 'a:3', 'b', 'a,backup');
  t.deepEqual(
    balancer.members.map(({ name, settings }) => [name, settings]),
    [
      ['a', { weight: 3 }],
      ['b', {}],
    ],
  );
});
