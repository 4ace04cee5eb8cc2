import fc from 'fast-check';

/** IPv6 text in every form that fast-check knows, upper case and with a zone too. */
const ipv6 = fc
  .tuple(fc.ipV6(), fc.boolean(), fc.option(fc.stringMatching(/^[-0-9a-zA-Z.:]{1,8}$/), { nil: undefined }))
  .map(
    ([text, isUpper, zone]) => (isUpper ? text.toUpperCase() : text) + (zone === undefined ? '' : `%${zone}`),
  );

/** A valid address. */
export const address = fc.oneof(fc.ipV4(), ipv6);

const marks = fc.constantFrom(
  ...[
    '0',
    '1',
    '9',
    'f',
    'F',
    'g',
    'x',
    '.',
    ':',
    '::',
    '%',
    '/',
    '-',
    '_',
    '[',
    ']',
    ' ',
    '\n',
    '\r',
    '\0',
    '１',
    'é',
    '255',
    '256',
  ],
);

/** An address with up to four characters put in, taken out or replaced. */
const mutated = fc
  .tuple(
    address,
    fc.array(fc.tuple(fc.nat({ max: 45 }), fc.constantFrom(0, 1, 2), fc.option(marks, { nil: '' })), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce(
      (now, [at, cut, put]) =>
        now.slice(0, at % (now.length + 1)) + put + now.slice((at % (now.length + 1)) + cut),
      text,
    ),
  );

/** Groups, dots and colons in any order: what no mutation of a valid address reaches. */
const assembled = fc
  .array(fc.constantFrom('0', '1', 'ab', 'ffff', '12345', ':', ':', ':', '::', '.', '1.2.3.4', '%', 'z'), {
    maxLength: 18,
  })
  .map((parts) => parts.join(''));

/** Addresses, and what nearly is one. */
export const textLikeAddress = fc.oneof(
  { weight: 2, arbitrary: address },
  { weight: 3, arbitrary: mutated },
  { weight: 2, arbitrary: assembled },
);
