import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { readConfigFile } from '../../../commands/proxy/config-file.ts';
import { findRepeatedKey } from '../../../commands/proxy/config-file.ts';
import { tempDir } from '../../helpers/temp.ts';

for (const [json, key] of [
  ['{}', undefined],
  ['[]', undefined],
  ['"a"', undefined],
  ['{"a": 1, "b": 2}', undefined],
  ['{"a": 1, "a": 2}', 'a'],
  ['{"a": 1,\n "b": {"a": 2}}', undefined],
  ['{"b": {"c": 1, "c": 2}, "a": 1}', 'c'],
  ['[{"a": 1}, {"a": 2}]', undefined],
  ['[{"a": [{"b": 1, "x": [], "b": 2}]}]', 'b'],
  ['{"a": {}, "a" : 1}', 'a'],
  ['{"a": [], "b": 0, "a": []}', 'a'],
  // The same name, written in two ways.
  ['{"a": 1, "\\u0061": 2}', 'a'],
  ['{"": 1, "": 2}', ''],
  ['{"__proto__": 1, "__proto__": 2}', '__proto__'],
  // What looks like a key and is a value, or within one.
  ['{"a": "a", "b": "a"}', undefined],
  ['["a", "a"]', undefined],
  [String.raw`{"a": "{\"a\": 1, \"a\": 2}"}`, undefined],
  [String.raw`{"a\\": 1, "a\"": 2, "a": "}"}`, undefined],
  [String.raw`{"a": "\\", "b": 1, "a": 2}`, 'a'],
] as const) {
  test(`the repeated key of ${json} is ${key === undefined ? 'none' : JSON.stringify(key)}`, (t) => {
    JSON.parse(json);
    t.is(findRepeatedKey(json), key);
  });
}

test('what JSON.stringify() writes has no repeated key', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.nat(4), (json, indent) => {
      const text = JSON.stringify(JSON.parse(json), null, indent);
      t.is(findRepeatedKey(text), undefined, text);
    }),
  );
  t.pass();
});

test('a key that an object has twice is found wherever the second one stands', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, pick) => {
      // JSON drops nothing of these; __proto__ is a key like any other there.
      const entries = Object.entries(object).map(
        ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
      );
      const [key] = Object.keys(object);
      entries.splice(1 + (pick % entries.length), 0, `${JSON.stringify(key)}:null`);
      t.is(findRepeatedKey(`{${entries.join(',')}}`), key);
    }),
  );
  t.pass();
});

test('a config file with a key twice is refused, and the key is named', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  writeFileSync(file, '{"pairs": [{"listen": "0", "target": "1", "idle": "1s", "idle": "2s"}]}');
  const error = await t.throwsAsync(async () => readConfigFile(file, {}));
  t.regex(error.message, /idle/);
});
