import { escapeJson } from '../../transform/escape-controls.ts';

/** An object as a Server-Sent Event. Source: HTML, 9.2.5. */
export function formatSentEvent(event: object): string {
  return `data: ${escapeJson(JSON.stringify(event))}\n\n`;
}

/** A comment, which readers ignore: one that is gone is noticed when something is sent to it. */
export const sentPing = ': ping\n\n';
export const pingMs = 15_000;
