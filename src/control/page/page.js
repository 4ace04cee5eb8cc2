// The live page: shows what /v1/ says, and changes it. docs/control.md describes it.
const $ = (id) => document.getElementById(id);

/** An element with its attributes, listeners (`onclick`), and children. */
function make(tag, attributes = {}, ...children) {
  const svg = tag === 'svg' || tag === 'polyline';
  const element = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What the user has under their hands is not changed under them. */
function setValue(input, value) {
  if (document.activeElement !== input || input.disabled) input.value = value;
}

/** Makes the children of an element those of a list; each stays the same element as long as its key is there. */
function keyed(parent, items, keyOf, create) {
  const views = (parent.views ??= new Map());
  const keys = new Set(items.map(keyOf));
  for (const [key, { element }] of views) {
    if (keys.has(key)) continue;
    if (element.contains(document.activeElement)) parent.closest('section').querySelector('h2').focus();
    element.remove();
    views.delete(key);
  }
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    if (!views.has(key)) views.set(key, create(item));
    const { element, update } = views.get(key);
    update(item);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  }
}

function showBytes(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  for (; bytes >= 999.5 && at < units.length - 1; at++) bytes /= 1000;
  return `${at === 0 ? Math.round(bytes) : bytes.toPrecision(3)} ${units[at]}`;
}

function showTime(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${Number((ms / 1000).toPrecision(3))} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const clock = (ms) => new Date(ms).toTimeString().slice(0, 8) + ((ms % 1000) / 1000).toFixed(3).slice(1);

// What is asked for, with the token, which is nowhere but here.

const need = document.body.dataset.token;
let token = '';
const mayRead = () => need !== 'always' || token !== '';
const mayWrite = () => need === 'never' || token !== '';

async function ask(path, { method = 'GET', body, signal } = {}) {
  const response = await fetch(path, {
    method,
    signal,
    cache: 'no-store',
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
  });
  if (response.ok) return response;
  const { message = response.statusText, subject } = await response.json().catch(() => ({}));
  const error = new Error(subject === undefined ? message : `${subject}: ${message}`);
  throw Object.assign(error, { status: response.status });
}

const get = async (path) => (await ask(path)).json();

/** Calls back for each object of a stream of Server-Sent Events. */
async function listen(path, signal, onEvent) {
  const { body } = await ask(path, { signal });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    for (const part of parts) if (part.startsWith('data: ')) onEvent(JSON.parse(part.slice(6)));
  }
}

/** Changes something, and shows what came of it. */
async function change(method, path, body) {
  try {
    const answer = await (await ask(path, { method, body })).json();
    setText($('problem'), '');
    return answer;
  } catch (error) {
    setText($('problem'), error.message);
    return undefined;
  } finally {
    await refresh();
  }
}

// Pairs, their targets and faults.

const pathOf = (...parts) => `/v1/${parts.map(encodeURIComponent).join('/')}`;

function makeSwitch(name, onChange) {
  const input = make('input', { type: 'checkbox', role: 'switch', onchange: () => onChange(input.checked) });
  return { input, element: make('label', {}, input, name) };
}

const plain = { toSlider: (value) => value, fromSlider: (at) => at };
const doubling = {
  toSlider: (value) => Math.log2(Math.max(1, value)),
  fromSlider: (at) => Math.round(2 ** at),
};
const time = (setting, value) => ({ setting, value, show: showTime, most: 5000, step: 10, ...plain });
const size = (setting, value, unit = '') => ({
  ...{ setting, value, show: (bytes) => showBytes(bytes) + unit, most: 30, step: 0.25, ...doubling },
});

/** What of each kind of fault is a slider. */
const kinds = {
  latency: time('delayMs', 100),
  bandwidth: size('bytesPerSecond', 65536, '/s'),
  slice: size('bytes', 64),
  corrupt: {
    ...{ setting: 'share', value: 0.01, most: 1, step: 0.001, ...plain },
    show: (share) => `${Number((share * 100).toFixed(1))} %`,
  },
  limit: size('bytes', 65536),
  'slow-close': time('delayMs', 1000),
  timeout: time('afterMs', 1000),
  reset: time('afterMs', 1000),
  blackhole: undefined,
};

/** A fault of a pair, or a kind that the pair has not: then it is off. */
function makeFault(pair, { name, fault: { kind } }) {
  const scale = kinds[kind];
  const label = name === kind ? name : `${name} (${kind})`;
  const path = pathOf('pairs', pair, 'faults', name);
  let fault = { kind, ...(scale && { [scale.setting]: scale.value }) };
  const onOff = makeSwitch(label, (isOn) =>
    isOn
      ? change('POST', pathOf('pairs', pair, 'faults'), {
          ...{ name, fault, direction: way.value, toxicity: Number(share.value) },
        })
      : change('DELETE', path),
  );
  const show = () => {
    setText(shown, `${Math.round(share.value * 100)} %`);
    if (!scale) return;
    setText(value, scale.show(fault[scale.setting]));
    slider.setAttribute('aria-valuetext', value.textContent);
  };
  const set = (settings) => onOff.input.checked && change('PATCH', path, settings);
  const range = (title, listeners, most, step) =>
    make('input', {
      type: 'range',
      min: 0,
      max: most,
      step,
      'aria-label': `${label}: ${title}`,
      ...listeners,
    });
  const slide = {
    oninput() {
      fault = { ...fault, [scale.setting]: scale.fromSlider(Number(slider.value)) };
      show();
    },
    onchange: () => set({ fault }),
  };
  const slider = range(scale?.setting ?? '', slide, scale?.most, scale?.step);
  const value = make('output');
  const onchange = () => set({ toxicity: Number(share.value) });
  const share = range('share of the connections', { oninput: show, onchange }, 1, 0.01);
  const shown = make('output');
  const way = make(
    'select',
    { 'aria-label': `${label}: direction`, onchange: () => set({ direction: way.value }) },
    ...['both', 'up', 'down'].map((one) => make('option', {}, one)),
  );
  share.value = 1;
  if (scale) slider.value = scale.toSlider(scale.value);
  const element = make('div', { class: 'fault', role: 'group', 'aria-label': label }, onOff.element);
  if (scale) element.append(make('label', {}, slider, value));
  element.append(way, make('label', { class: 'note' }, 'in', share, shown));
  return {
    element,
    update(now) {
      onOff.input.checked = now.isOn;
      if (now.isOn) {
        setValue(way, now.direction);
        setValue(share, now.toxicity);
        if (document.activeElement !== slider) {
          fault = now.fault;
          if (scale) {
            const at = scale.toSlider(fault[scale.setting]);
            if (at > slider.max) slider.max = at;
            slider.value = at;
          }
        }
      }
      show();
    },
  };
}

function makeTarget(pair) {
  const [name, health, open] = ['span', 'span', 'span'].map((tag) => make(tag));
  let address;
  const onOff = makeSwitch('takes clients', (isEnabled) =>
    change('PATCH', pathOf('pairs', pair, 'targets', address), { isEnabled }),
  );
  return {
    element: make('li', {}, name, health, open, onOff.element),
    update(target) {
      address = target.address;
      setText(name, address);
      onOff.input.setAttribute('aria-label', `${address} takes clients`);
      setText(health, target.isUp === null ? 'not checked' : target.isUp ? 'up' : 'down');
      health.className = target.isUp === null ? 'note' : target.isUp ? 'good' : 'bad';
      setText(open, `${target.connections} open`);
      onOff.input.checked = target.isEnabled;
    },
  };
}

/** @param isOnly there are so few that all of each is shown */
function makePair({ name }, isOnly) {
  const address = make('span', { class: 'note' });
  const onOff = makeSwitch('accepts clients', (isEnabled) =>
    change('PATCH', pathOf('pairs', name), { isEnabled }),
  );
  onOff.input.setAttribute('aria-label', `${name} accepts clients`);
  const targets = make('ul', { 'aria-label': `Targets of ${name}` });
  const summary = make('summary');
  const faults = make('div');
  const title = make('h3', {}, name);
  return {
    element: make(
      'article',
      { class: 'pair', 'aria-label': `Pair ${name}` },
      make('div', { class: 'head' }, title, address, onOff.element),
      targets,
      make('details', isOnly ? { open: '' } : {}, summary, faults),
    ),
    update(pair) {
      setText(address, pair.address === null ? 'not bound' : pair.address === name ? '' : pair.address);
      onOff.input.checked = pair.isEnabled;
      keyed(
        targets,
        pair.targets,
        (target) => target.address,
        () => makeTarget(name),
      );
      const off = Object.keys(kinds).filter((kind) => !pair.faults.some((one) => one.name === kind));
      const place = ({ name: own }) => Object.keys(kinds).indexOf(own) >>> 0;
      const rows = [
        ...pair.faults.map((fault) => ({ ...fault, isOn: true })),
        ...off.map((kind) => ({ name: kind, fault: { kind }, isOn: false })),
      ].sort((one, other) => place(one) - place(other));
      keyed(
        faults,
        rows,
        ({ name: own, fault }) => `${own} ${fault.kind}`,
        (fault) => makeFault(name, fault),
      );
      setText(summary, `Faults: ${pair.faults.length} on`);
    },
  };
}

// Connections.

const history = 60;
const mostRows = 200;

/** What a client said before its stream began. */
function showGreeting({ client, tls, request, route }) {
  const words = [client && `for ${client}`, tls && `${tls.protocol} ${tls.serverName ?? ''}`.trim()];
  if (request) words.push(`${request.command} ${request.host}:${request.port}`);
  return [...words, route].filter(Boolean).join(', ');
}

function makeConnection({ id, pair, remote }) {
  const cell = (label, ...children) => make('td', { role: 'cell', 'data-label': label }, ...children);
  const [client, target, age] = [cell('Client'), cell('Target'), cell('Age')];
  const bytes = { up: make('span', { class: 'up' }), down: make('span', { class: 'down' }) };
  const lines = { up: make('polyline', { class: 'up' }), down: make('polyline', { class: 'down' }) };
  const svg = make(
    'svg',
    { role: 'img', viewBox: `0 0 ${history} 20`, preserveAspectRatio: 'none' },
    lines.up,
    lines.down,
  );
  const rates = { up: [], down: [] };
  const element = make(
    'tr',
    { role: 'row' },
    ...[cell('No.', String(id)), cell('Pair', pair), client, target, age],
    ...[cell('Up', bytes.up), cell('Down', bytes.down), cell('Last minute', svg)],
    cell(
      'Actions',
      make(
        'button',
        { type: 'button', 'aria-label': `Tap connection ${id}`, onclick: () => startTap(id) },
        'Tap',
      ),
      make(
        'button',
        {
          ...{ type: 'button', 'aria-label': `Reset connection ${id}`, 'data-writes': '' },
          onclick: () => change('DELETE', pathOf('connections', id)),
        },
        'Reset',
      ),
    ),
  );
  return {
    element,
    update(now) {
      setText(client, now.greeting ? `${remote}, ${showGreeting(now.greeting)}` : remote);
      setText(target, now.target ?? 'none yet');
      setText(age, showTime(now.ageMs - (now.ageMs % 1000)));
      for (const [way, name] of [
        ['up', 'received'],
        ['down', 'sent'],
      ]) {
        const rate = now[`${name}BytesPerSecond`];
        rates[way] = [...rates[way], rate].slice(-history);
        setText(bytes[way], `${showBytes(now[`${name}Bytes`])}, ${showBytes(rate)}/s`);
      }
      const most = Math.max(1, ...rates.up, ...rates.down);
      for (const way of ['up', 'down']) {
        const from = history - rates[way].length;
        const points = rates[way].map((rate, at) => `${from + at},${(19 - (rate / most) * 18).toFixed(1)}`);
        lines[way].setAttribute('points', points.join(' '));
      }
      svg.setAttribute('aria-label', `at most ${showBytes(most)} a second in the last minute`);
    },
  };
}

// The tap of one connection.

const mostKept = 256 * 1024;
const latin = new TextDecoder('latin1');
const utf8 = new TextDecoder();
let tap;

function startTap(id) {
  tap?.abort.abort();
  tap = { id, abort: new AbortController(), chunks: [], waiting: [], at: 0, matches: [], isPaused: false };
  const own = tap;
  $('tap-log').replaceChildren();
  $('tap').hidden = false;
  setText($('tap-title'), `Tap of connection ${id}`);
  setText($('tap-state'), 'starting');
  $('tap-record').disabled = false;
  showPaused();
  $('tap-title').focus();
  const end = (text) => {
    if (own !== tap) return;
    setText($('tap-state'), text);
    $('tap-record').disabled = !own.recording;
  };
  listen(pathOf('connections', id, 'tap'), own.abort.signal, (event) => own === tap && take(event)).then(
    () => end(`connection ${id} is over`),
    (error) => own.abort.signal.aborted || end(error.message),
  );
}

function take(event) {
  const { direction, offset, atMs, base64 } = event;
  const say = (note) => tap.waiting.push({ note: atMs ? `${clock(atMs)} ${note}` : note, bytes: [] });
  if (event.event === 'open') setText($('tap-state'), 'listening');
  else if (event.event === 'data')
    tap.waiting.push({
      direction,
      offset,
      atMs,
      bytes: Uint8Array.from(atob(base64), (one) => one.charCodeAt(0)),
    });
  else if (event.event === 'end') say(`= end of ${direction}`);
  else if (event.event === 'close') say(`= closed: ${event.reason}`);
  else if (event.event === 'missed')
    say(`= missed ${event.up} bytes up and ${event.down} down: too fast to show`);
  trim(tap.waiting);
  if (tap.isPaused) showPaused();
  else drawSoon();
}

/** Keeps what came last. */
function trim(chunks) {
  let bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  while (chunks.length > 1 && (bytes > mostKept || chunks.length > 2000)) {
    const gone = chunks.shift();
    bytes -= gone.bytes.length;
    gone.element?.remove();
  }
}

function showPaused() {
  const button = $('tap-pause');
  button.setAttribute('aria-pressed', String(tap.isPaused));
  setText(button, tap.isPaused && tap.waiting.length > 0 ? `Pause (${tap.waiting.length} waiting)` : 'Pause');
}

let drawing;
function drawSoon() {
  drawing ??= setTimeout(() => {
    drawing = undefined;
    if (tap) draw();
  }, 100);
}

function draw() {
  if (!tap.isPaused) tap.chunks.push(...tap.waiting.splice(0));
  trim(tap.chunks);
  const log = $('tap-log');
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  const view = $('tap-view').value;
  const only = $('tap-direction').value;
  const chunks = tap.chunks.filter(({ direction }) => !only || !direction || direction === only);
  tap.matches = findMatches(chunks, readQuery(view));
  const width = innerWidth < 640 ? 8 : 16;
  for (const chunk of tap.chunks) {
    if (!chunks.includes(chunk)) {
      chunk.element?.remove();
      continue;
    }
    const marked = tap.matches.filter(({ direction, start, end }) => {
      const { offset, bytes } = chunk;
      return direction === chunk.direction && start < offset + bytes.length && end > offset;
    });
    const key = [view, width, ...marked.map(({ start, end }) => `${start}-${end}`)].join();
    if (chunk.key !== key) {
      const element = make(
        'div',
        {},
        ...(chunk.note ? [chunk.note] : layOut(chunk, { view, width, marked })),
      );
      chunk.element?.replaceWith(element);
      Object.assign(chunk, { key, element });
    }
  }
  for (const [index, { element }] of chunks.entries())
    if (log.children[index] !== element) log.insertBefore(element, log.children[index] ?? null);
  const { length } = tap.matches;
  const isSearching = $('tap-query').value !== '';
  setText(
    $('tap-found'),
    isSearching
      ? length === 1
        ? '1 match'
        : `${length === mostMatches ? 'over ' : ''}${length} matches`
      : '',
  );
  if (isAtEnd && !isSearching) log.scrollTop = log.scrollHeight;
}

/** The bytes that are searched for, as a string with a letter for each. */
function readQuery(view) {
  const text = $('tap-query').value;
  const isHex = view === 'hex' && /^\s*[\da-f]{2}(\s+[\da-f]{2})*\s*$/i.test(text);
  const bytes = isHex
    ? text
        .trim()
        .split(/\s+/)
        .map((two) => parseInt(two, 16))
    : new TextEncoder().encode(text);
  return latin.decode(Uint8Array.from(bytes));
}

const mostMatches = 500;

/** Matches may go over the borders of chunks, within a direction. */
function findMatches(chunks, wanted) {
  const matches = [];
  if (wanted === '') return matches;
  for (const direction of ['up', 'down']) {
    let run = { start: 0, text: '' };
    const search = () => {
      for (let at = run.text.indexOf(wanted); at >= 0 && matches.length < mostMatches;) {
        matches.push({ direction, start: run.start + at, end: run.start + at + wanted.length });
        at = run.text.indexOf(wanted, at + wanted.length);
      }
    };
    for (const chunk of chunks) {
      if (chunk.direction !== direction) continue;
      if (run.start + run.text.length !== chunk.offset) {
        search();
        run = { start: chunk.offset, text: '' };
      }
      run.text += latin.decode(chunk.bytes);
    }
    search();
  }
  return matches;
}

/** The lines of a chunk. */
function layOut({ direction, offset, atMs, bytes }, { view, width, marked }) {
  const lines = [];
  for (let at = 0; at < bytes.length;) {
    const newline = view === 'text' ? bytes.indexOf(10, at) : -1;
    const end = view === 'hex' ? at + width : Math.min(newline < 0 ? Infinity : newline + 1, at + 500);
    const part = bytes.subarray(at, end);
    const line = make('div', { class: direction });
    line.append(`${width === 16 ? `${clock(atMs)} ` : ''}${direction === 'up' ? '>' : '<'} `);
    const own = { part, from: offset + at, marked };
    if (view === 'text') line.append(...runs(own, showText));
    else {
      const hex = (some) => [...some].map((byte) => `${byte.toString(16).padStart(2, '0')} `).join('');
      const letters = (some) =>
        [...some].map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
      line.append((offset + at).toString(16).padStart(8, '0'), ' ', ...runs(own, hex));
      line.append('   '.repeat(width - part.length), '|', ...runs(own, letters), '|');
    }
    lines.push(line);
    at = end;
  }
  return lines;
}

/** Control characters as their pictures; the newline at the end of a line is the end of the line. */
function showText(bytes) {
  const text = utf8.decode(bytes).replace(/\n$/, '');
  return text.replace(/[\0-\x1f\x7f]/g, (one) =>
    one === '\x7f' ? '\u2421' : String.fromCharCode(0x2400 + one.charCodeAt(0)),
  );
}

/** Text with what is marked in it. */
function runs({ part, from, marked }, show) {
  const borders = marked.flatMap(({ start, end }) => [start - from, end - from]);
  const places = [0, ...borders.filter((at) => at > 0 && at < part.length), part.length].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((end, index) => {
    const start = places[index];
    const match = marked.find((one) => one.start <= from + start && one.end > from + start);
    const text = show(part.subarray(start, end));
    return match && end > start
      ? make('mark', { 'data-start': match.start, 'data-direction': match.direction }, text)
      : text;
  });
}

function showNext() {
  if (!tap || tap.matches.length === 0) return;
  const { start, direction } = tap.matches[tap.at++ % tap.matches.length];
  const same = `mark[data-start="${start}"][data-direction="${direction}"]`;
  for (const old of document.querySelectorAll('mark.now')) old.classList.remove('now');
  for (const one of $('tap-log').querySelectorAll(same)) one.classList.add('now');
  $('tap-log').querySelector(same)?.scrollIntoView({ block: 'nearest' });
  setText($('tap-found'), `match ${((tap.at - 1) % tap.matches.length) + 1} of ${tap.matches.length}`);
}

/** Keeps a recording until it is stopped or the connection is over, and saves it. */
async function record() {
  const own = tap;
  if (own.recording) return own.recording.abort();
  own.recording = new AbortController();
  const button = $('tap-record');
  const parts = [];
  button.setAttribute('aria-pressed', 'true');
  setText(button, 'Save the recording');
  try {
    const { body } = await ask(pathOf('connections', own.id, 'recording'), { signal: own.recording.signal });
    const reader = body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  } catch (error) {
    if (!own.recording.signal.aborted) setText($('problem'), error.message);
  }
  own.recording = undefined;
  button.setAttribute('aria-pressed', 'false');
  setText(button, 'Record as pcapng');
  if (parts.length === 0) return;
  const href = URL.createObjectURL(new Blob(parts, { type: 'application/x-pcapng' }));
  make('a', { href, download: `connection-${own.id}.pcapng` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

// Events.

function showEvent({ time: at, event, ...rest }) {
  const words = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  $('events').prepend(make('li', {}, `${clock(Date.parse(at))} ${event} ${words.join(' ')}`));
  while ($('events').children.length > 100) $('events').lastChild.remove();
}

let following;
async function follow() {
  following?.abort();
  const own = (following = new AbortController());
  for (; !own.signal.aborted; await new Promise((resolve) => setTimeout(resolve, 2000)))
    if (mayRead()) await listen('/v1/events', own.signal, showEvent).catch(() => undefined);
}

// What the page does all the time.

const totalNames = {
  ...{ connections: 'connections', open: 'open', receivedBytes: 'up', sentBytes: 'down' },
  ...{ failed: 'failed', probes: 'probes', refused: 'refused' },
};

function showTotals(totals) {
  const rows = Object.entries(totalNames).map(([name, label]) => ({
    label,
    value: totals[name],
    isBytes: name.endsWith('Bytes'),
  }));
  keyed(
    $('totals'),
    rows,
    ({ label }) => label,
    ({ label }) => {
      const value = make('dd');
      return {
        element: make('div', {}, make('dt', {}, label), value),
        update: ({ value: now, isBytes }) =>
          setText(
            value,
            isBytes
              ? showBytes(now)
              : String(typeof now === 'object' ? Object.values(now).reduce((a, b) => a + b, 0) : now),
          ),
      };
    },
  );
}

async function refresh() {
  const writes = mayWrite();
  try {
    if (!mayRead()) return setText($('state'), 'the token is needed to see anything');
    const [{ pairs }, { connections }, totals] = await Promise.all([
      get('/v1/pairs'),
      get('/v1/connections'),
      get('/v1/totals'),
    ]);
    keyed(
      $('pairs'),
      pairs,
      ({ name }) => name,
      (pair) => makePair(pair, pairs.length <= 3),
    );
    const shown = connections.toSorted((one, other) => other.id - one.id).slice(0, mostRows);
    keyed($('connections'), shown, ({ id }) => id, makeConnection);
    setText(
      $('more'),
      connections.length > mostRows ? `${connections.length - mostRows} older ones are not shown.` : '',
    );
    showTotals(totals);
    setText($('state'), writes ? 'live' : 'live, read-only without the token');
  } catch (error) {
    if (error.status === 401) {
      token = '';
      setText($('problem'), 'The token is wrong.');
    } else setText($('state'), `not reached, trying again: ${error.message}`);
  }
  for (const one of document.querySelectorAll('#pairs input, #pairs select, [data-writes]'))
    one.disabled = !mayWrite();
}

async function run() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

$('token-form').hidden = need === 'never';
$('token-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  token = $('token').value;
  $('token').value = '';
  setText($('problem'), '');
  await refresh();
  if (token) follow();
});
$('reset-totals').addEventListener('click', () => change('POST', '/v1/totals/reset'));
for (const id of ['tap-view', 'tap-direction']) $(id).addEventListener('change', () => tap && draw());
$('tap-query').addEventListener('input', () => {
  tap.at = 0;
  draw();
});
$('tap-search').addEventListener('submit', (event) => {
  event.preventDefault();
  showNext();
});
$('tap-pause').addEventListener('click', () => {
  tap.isPaused = !tap.isPaused;
  draw();
  showPaused();
});
$('tap-record').addEventListener('click', record);
$('tap-stop').addEventListener('click', () => {
  tap.recording?.abort();
  tap.abort.abort();
  $('tap').hidden = true;
  $('connections-title').focus();
  tap = undefined;
});
run();
follow();
