// The results as Markdown and as a chart.
import { findBest } from './figures.mjs';

const heading = (text) => text[0].toUpperCase() + text.slice(1);

function renderTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function renderWork({ title, note, date, command, metrics, rows, rounds, left }) {
  const best = metrics.map((metric) => findBest(rows, metric));
  const head = [
    '',
    ...metrics.flatMap(({ label }, i) => [label, 'least to most', `× ${best[i] ?? 'peers'}`]),
  ];
  const body = Object.entries(rows).map(([name, figures]) => [
    name,
    ...metrics.flatMap(({ key, digits }, i) => {
      const one = figures[key];
      if (!one) return ['', '', ''];
      const reference = best[i] && rows[best[i]][key].median;
      return [
        one.median.toFixed(digits),
        `${one.least.toFixed(digits)} to ${one.most.toFixed(digits)}`,
        reference ? (one.median / reference).toFixed(2) : '',
      ];
    }),
  ]);
  const notes = [
    ...(note ? [note] : []),
    `${rounds} rounds, fewer of a row that takes over ten seconds`,
    `\`${command}\`, ${date}`,
    ...left.map((one) => `left out: ${one}`),
  ];
  return `## ${heading(title)}\n\n${heading(notes.join('; '))}.\n\n${renderTable(head, body)}\n`;
}

/** @param results see run.mjs */
export function renderMarkdown({ machine, works, goals }) {
  const { processors, model, kernel, node } = machine;
  const goalRows = goals.map(({ title, limit, better, unit, ratio, isMet }) => [
    title,
    `${better === 'more' ? 'at least' : 'at most'} ${limit}${unit && ' ×'}`,
    `${ratio.toFixed(2)}${unit}`,
    isMet ? 'yes' : 'no',
  ]);
  return [
    '# Results\n',
    `${processors} × ${model}, Linux ${kernel}, Node ${node}. Medians of interleaved rounds.`,
    `The columns × say how many times the best peer's figure a row's is. \`C, direct\` is the load generator against its`,
    'own server with nothing between, which no row can exceed.\n',
    ...(goalRows.length > 0 ? [renderTable(['goal', 'wanted', 'measured', 'met'], goalRows), ''] : []),
    ...works.map(renderWork),
  ].join('\n');
}

const charts = [
  ['relay-stream', 'gbps', 'Relay, GB/s: more is better'],
  ['relay-stream', 'cpu', 'Relay, CPU-seconds per GB: less is better'],
  ['relay-rate', 'rate', 'Relay, connections per second: more is better'],
  ['relay-pings-64', 'p99', 'Relay, p99 of 64 ping-pongs, µs: less is better'],
];

const [width, rowHeight, labelWidth, barWidth] = [720, 22, 180, 430];

/** Bars for the works that have been run; readable on light and dark. Undefined without any. */
export function renderChart({ works }) {
  let y = 8;
  const parts = charts.flatMap(([id, key, title]) => {
    const work = works.find((one) => one.id === id);
    const rows = Object.entries(work?.rows ?? {}).filter(([name, row]) => row[key] && !/^C\b/.test(name));
    if (rows.length === 0) return [];
    const { digits } = work.metrics.find((metric) => metric.key === key);
    const most = Math.max(...rows.map(([, row]) => row[key].median));
    const head = `<text class="title" x="8" y="${(y += 20)}">${title}</text>`;
    y += 8;
    const bars = rows.flatMap(([name, row]) => {
      const { median } = row[key];
      const length = Math.max(1, (median / most) * barWidth).toFixed(1);
      const middle = y + 15;
      const bar = [
        `<text x="${labelWidth - 8}" y="${middle}" text-anchor="end">${name}</text>`,
        `<rect class="${name.startsWith('tnet') ? 'own' : 'peer'}" x="${labelWidth}" y="${y + 3}" width="${length}" height="${rowHeight - 6}" rx="2"/>`,
        `<text x="${labelWidth + Number(length) + 6}" y="${middle}">${median.toFixed(digits)}</text>`,
      ];
      y += rowHeight;
      return bar;
    });
    y += 12;
    return [head, ...bars];
  });
  if (parts.length === 0) return undefined;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" role="img" aria-label="tnet against its peers">
<style>
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .title { font-weight: 600; font-size: 14px; fill: #24292f; }
  .own { fill: #1f7a4d; }
  .peer { fill: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title { fill: #e6edf3; }
    .own { fill: #3fb950; }
    .peer { fill: #656c76; }
  }
</style>
${parts.join('\n')}
</svg>
`;
}
