import type { Endpoint } from '../../src/address/endpoint.ts';

/** The first descriptor that systemd hands over. Source: sd_listen_fds(3), SD_LISTEN_FDS_START. */
const firstDescriptor = 3;

/**
 * The sockets that systemd has opened for this process: none when LISTEN_FDS is not set or was meant for another
 * process. The variables are taken out of the environment, as no child of ours is meant either.
 * Source: sd_listen_fds(3).
 */
export function takeActivatedSockets(
  environment: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): Endpoint[] {
  const { LISTEN_FDS: countText, LISTEN_PID: pidText } = environment;
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(environment, name);
  if (pidText !== String(pid) || countText === undefined || !/^\d{1,6}$/.test(countText)) return [];
  return Array.from({ length: Number(countText) }, (_, index) => ({
    kind: 'fd',
    fd: firstDescriptor + index,
  }));
}
