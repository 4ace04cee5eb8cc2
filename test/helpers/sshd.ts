import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { startProgram, waitForPort } from './processes.ts';
import { findProgram } from './programs.ts';

/**
 * Starts sshd on a port of 127.0.0.1, with keys of its own, and writes `ssh.conf` into `dir`, with which ssh logs in.
 * Needs ssh, sshd and ssh-keygen.
 */
export async function startSshd(t: ExecutionContext, dir: string, port: number): Promise<{ config: string }> {
  const [hostKey, userKey, authorized] = ['host', 'user', 'authorized'].map((name) => join(dir, name));
  for (const file of [hostKey!, userKey!])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  copyFileSync(`${userKey!}.pub`, authorized!);
  mkdirSync('/run/sshd', { recursive: true });
  const settings = {
    HostKey: hostKey,
    AuthorizedKeysFile: authorized,
    PidFile: 'none',
    StrictModes: 'no',
    ListenAddress: '127.0.0.1',
    UsePAM: 'no',
    // The shell reads the files of its home, and what they print would stand among the output.
    SetEnv: `HOME=${dir}`,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const flags = ['-D', '-e', '-f', '/dev/null', '-p', String(port), ...options];
  await waitForPort(port, startProgram(t, findProgram('sshd')!, flags));
  const config = join(dir, 'ssh.conf');
  const lines = [
    `Port ${port}`,
    `IdentityFile ${userKey}`,
    'StrictHostKeyChecking no',
    'UserKnownHostsFile /dev/null',
    'LogLevel ERROR',
    'BatchMode yes',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return { config };
}
