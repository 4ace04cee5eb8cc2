import type { ProxyHeader } from '../protocol/proxy-protocol/index.ts';

/** The host that the header says the client is, if it says one. */
export function sourceHost(header: ProxyHeader | undefined): string | undefined {
  const ends = header?.command === 'proxy' ? header.ends : undefined;
  return ends && 'source' in ends && typeof ends.source === 'object' ? ends.source.host : undefined;
}

/** The source that the header names, as tnet writes addresses. */
export function formatSource({ command, ends }: ProxyHeader): string {
  if (command === 'local' || ends.family === 'unknown') return 'unknown';
  if (typeof ends.source === 'string') return ends.source === '' ? 'unknown' : ends.source;
  const { host, port } = ends.source;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
