// Draws what a terminal showed over time as one SVG: a line of text appears and goes by CSS keyframes. No script and no
// outside font, so that it moves in an <img> too; where motion is not wanted, the last picture stands.

const cell = { width: 8.4, height: 18, size: 14 };
const margin = { x: 16, top: 44, bottom: 16 };

/** The 16 colours of a terminal, dim to bright, on the dark ground that the drawing brings along. */
const palette = [
  ...['#484f58', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#b1bac4'],
  ...['#6e7681', '#ffa198', '#56d364', '#e3b341', '#79c0ff', '#d2a8ff', '#56d4dd', '#ffffff'],
];
const ground = '#0d1117';
const ink = '#e6edf3';

/**
 * @param {{ at: number, lines: string[] }[]} frames what was shown, from `at` milliseconds on, with its SGR sequences
 * @param {{ columns: number, rows: number, lengthMs: number, title: string }} options
 */
export function drawTerminal(frames, { columns, rows, lengthMs, title }) {
  const width = Math.ceil(columns * cell.width + 2 * margin.x);
  const height = rows * cell.height + margin.top + margin.bottom;
  const spans = Array.from({ length: rows }, (_, row) => spansOfRow(frames, row, lengthMs)).flat();
  const rules = [];
  const texts = spans.map(({ row, text, from, to }, index) => {
    const always = from === 0 && to === lengthMs;
    if (!always) rules.push(keyframes(index, from / lengthMs, to / lengthMs));
    const name = always
      ? ''
      : ` class="s" style="animation-name:k${index}${to === lengthMs ? ';opacity:1' : ''}"`;
    return `<g${name} transform="translate(0 ${row * cell.height})">${drawLine(text)}</g>`;
  });
  const dots = ['#ff5f57', '#febc2e', '#28c840']
    .map((color, index) => `<circle cx="${20 + index * 20}" cy="20" r="6" fill="${color}"/>`)
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<title>${escapeXml(title)}</title>
<style>
text { font: ${cell.size}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: ${ink} }
.s { opacity: 0; animation: ${lengthMs}ms step-end infinite }
@media (prefers-reduced-motion: reduce) { .s { animation: none } }
${rules.join('\n')}
</style>
<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10" fill="${ground}" stroke="#30363d"/>
${dots}
<g transform="translate(${margin.x} ${margin.top})">
${texts.join('\n')}
</g>
</svg>
`;
}

/** The texts that a row had, each with the time from which and to which it was there. */
function spansOfRow(frames, row, lengthMs) {
  const spans = [];
  frames.forEach(({ at, lines }, index) => {
    const text = lines[row] ?? '';
    const to = frames[index + 1]?.at ?? lengthMs;
    const last = spans.at(-1);
    if (last?.text === text) last.to = to;
    else spans.push({ row, text, from: at, to });
  });
  return spans.filter(({ text }) => text.trim() !== '');
}

function keyframes(index, from, to) {
  const percent = (share) => `${Number((share * 100).toFixed(3))}%`;
  const steps = [
    from > 0 ? '0% { opacity: 0 }' : '',
    `${percent(from)} { opacity: 1 }`,
    to < 1 ? `${percent(to)} { opacity: 0 }` : '',
  ];
  return `@keyframes k${index} { ${steps.filter((step) => step !== '').join(' ')} }`;
}

/** One `<text>` for each run of equal style; textLength keeps the columns whatever the font. */
function drawLine(line) {
  let column = 0;
  let style = {};
  let drawing = '';
  for (const [, codes, text] of line.matchAll(/\x1b\[([\d;]*)m|([^\x1b]+)/g)) {
    if (codes !== undefined) style = applySgr(style, codes);
    else {
      if (text.trim() !== '') drawing += drawRun(text, column, style);
      column += text.length;
    }
  }
  return drawing;
}

function drawRun(text, column, { color, bold, dim, inverse }) {
  const x = (column * cell.width).toFixed(1);
  const length = (text.length * cell.width).toFixed(1);
  const fill = inverse ? ground : color;
  const look = [
    fill ? ` fill="${fill}" style="fill:${fill}"` : '',
    bold ? ' font-weight="bold"' : '',
    dim ? ' opacity=".65"' : '',
  ].join('');
  const back = inverse
    ? `<rect x="${x}" y="${-cell.size}" width="${length}" height="${cell.height}" fill="${color ?? ink}"/>`
    : '';
  return `${back}<text x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"${look}>${escapeXml(text)}</text>`;
}

/** Select Graphic Rendition, as far as programs on a terminal use it. Source: ECMA-48, 8.3.117. */
function applySgr(style, codes) {
  const numbers = codes === '' ? [0] : codes.split(';').map(Number);
  let next = { ...style };
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at];
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 7 || code === 27) next.inverse = code === 7;
    else if (code >= 30 && code <= 37) next.color = palette[code - 30];
    else if (code >= 90 && code <= 97) next.color = palette[code - 82];
    else if (code === 39) delete next.color;
    else if (code === 38 && numbers[at + 1] === 5) {
      next.color = palette[numbers[at + 2]] ?? ink;
      at += 2;
    } else if (code === 38 && numbers[at + 1] === 2) {
      next.color = `rgb(${numbers.slice(at + 2, at + 5).join(',')})`;
      at += 4;
    }
  }
  return next;
}

function escapeXml(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
