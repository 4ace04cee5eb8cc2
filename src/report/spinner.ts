/** A line on the terminal that shows that work goes on. */
export interface Spinner {
  update(text: string): void;
  /** Removes the line. Nothing else may be written to the stream before. */
  stop(): void;
}

/**
 * Starts a spinner with ora, which is loaded now. The caller makes sure that `stream` is a terminal and that
 * nothing else is written to it before `stop()`. stdin is left alone: it belongs to the connection.
 */
export async function startSpinner(
  stream: NodeJS.WritableStream,
  text: string,
  isColoured: boolean,
): Promise<Spinner> {
  const { default: ora } = await import('ora');
  const color = isColoured ? 'cyan' : false;
  const spinner = ora({ stream, text, color, discardStdin: false, hideCursor: false }).start();
  return {
    update(next) {
      spinner.text = next;
    },
    stop: () => void spinner.stop(),
  };
}

const barColumns = 24;

/** `█████░░░░░░░ 42 %`: how much of the work is done. */
export function drawBar(done: number, total: number): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * barColumns);
  return `${'█'.repeat(filled)}${'░'.repeat(barColumns - filled)} ${Math.floor(share * 100)} %`;
}
