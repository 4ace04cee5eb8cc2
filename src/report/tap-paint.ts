type Paint = (text: string) => string;

/** The colours in which a tap shows what is sent, what is received, and what happens; none without colour. */
export async function loadTapPaint(
  isColoured: boolean,
): Promise<{ readonly sent: Paint; readonly received: Paint; readonly note: Paint }> {
  const asIs: Paint = (text) => text;
  if (!isColoured) return { sent: asIs, received: asIs, note: asIs };
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { sent: chalk.cyan, received: chalk.green, note: chalk.dim };
}
