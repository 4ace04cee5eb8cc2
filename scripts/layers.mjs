/**
 * The layers of docs/architecture.md, from the top: each may import those after it, and none before it. What lies in src
 * itself (errors, quantities, exit statuses) is below them all. The linter and test/structure.test.ts hold them.
 */
export const layers = [
  'commands',
  'src/control',
  'src/handlers',
  'src/serve',
  'src/dial',
  'src/flow',
  'src/record',
  'src/report',
  'src/transform',
  'src/access',
  'src/protocol',
  'src/net',
  'src/native',
  'src/address',
];
