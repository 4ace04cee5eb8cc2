import type { ConnectOptions } from './options.ts';

/** The flags that make a connect try again. */
export type WaitOptions = Pick<ConnectOptions, 'retry' | 'retryDelay' | 'wait' | 'stable' | 'waitConnect'>;

/** Whether a flag asks for more than one plain attempt. */
export function isPatient({ retry, wait, stable }: WaitOptions): boolean {
  return retry !== undefined || wait !== undefined || stable !== undefined;
}
