import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { collectUntilClose, sameBytes } from '../../helpers/bytes.ts';
import { closedPort } from '../../helpers/cli.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines, expectProgram, startWays, type Way } from '../../helpers/ways.ts';

interface Nginx {
  readonly port: number;
  readonly path: string;
  /** What it serves and stores. */
  readonly root: string;
}

/** nginx that serves a folder and takes uploads into it, on a port and a Unix socket. */
async function startNginx(t: ExecutionContext): Promise<Nginx> {
  const dir = tempDir(t);
  const root = join(dir, 'root');
  mkdirSync(root);
  const port = await closedPort();
  const path = join(dir, 's');
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  const config = `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    master_process off;
    pid ${dir}/pid;
    error_log ${dir}/error.log;
    events {}
    http {
      access_log off;
      ${places.join('\n')}
      client_max_body_size 64m;
      server {
        listen 127.0.0.1:${port};
        listen unix:${path};
        root ${root};
        dav_methods PUT;
        port_in_redirect off;
      }
    }`;
  writeFileSync(join(dir, 'nginx.conf'), config);
  const words = ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log'), '-g', 'daemon off;'];
  await waitForPort(port, startProgram(t, '/usr/sbin/nginx', words));
  return { port, path, root };
}

/** Many programs, one after the other: a limit for a machine that is busy with other things. */
const patienceMs = 240_000;

/** Headers whose values differ from one answer to the next. */
function dropDates(text: Buffer): string {
  return text.toString('latin1').replaceAll(/^(Date|Last-Modified|ETag): .*$/gm, '$1: -');
}

for (const choice of engines) {
  testWith('nginx', 'curl')(
    `curl finds no difference between nginx and nginx behind a proxy (${choice.engine})`,
    async (t) => {
      t.timeout(patienceMs);
      const nginx = await startNginx(t);
      const page = randomBytes(700_001);
      writeFileSync(join(nginx.root, 'page'), page);
      const upload = join(tempDir(t), 'upload');
      writeFileSync(upload, randomBytes(2_000_003));
      const ways: Way[] = [
        { name: 'straight', port: nginx.port },
        ...(await startWays(t, `127.0.0.1:${nginx.port}`, choice)),
        ...(await startWays(t, nginx.path, choice)),
      ];
      const seen: string[] = [];
      for (const [index, way] of ways.entries()) {
        const host = way.path === undefined ? `127.0.0.1:${way.port}` : 'localhost';
        const curl = (...words: string[]) => {
          const socket = way.path === undefined ? [] : ['--unix-socket', way.path];
          return expectProgram('curl', [
            '-sS',
            '--noproxy',
            '*',
            '-H',
            'Host: nginx.example',
            ...socket,
            ...words,
          ]);
        };
        // Three requests on one connection: the second and third say how many connections they needed.
        const page3 = [0, 1, 2].flatMap(() => [`http://${host}/page`]);
        const kept = await curl('-i', '-w', 'connects=%{num_connects};', ...page3);
        t.deepEqual(
          dropDates(kept)
            .match(/connects=\d;/g)
            ?.slice(-2),
          ['connects=0;', 'connects=0;'],
          way.name,
        );
        const put = await curl(
          '-i',
          '-H',
          'Expect: 100-continue',
          '-T',
          upload,
          `http://${host}/put-${index}`,
        );
        t.regex(put.toString(), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /, way.name);
        sameBytes(t, readFileSync(join(nginx.root, `put-${index}`)), readFileSync(upload));
        const refused = await curl('-i', `http://${host}/none`);
        const range = await curl('-i', '-r', '100-1000', `http://${host}/page`);
        const answers = [kept, put, refused, range].map(dropDates).join('\n');
        seen.push(answers.replaceAll(/put-\d/g, 'put').replaceAll(host, 'HOST'));
        sameBytes(t, Buffer.from(seen.at(-1)!), Buffer.from(seen[0]!));
      }
    },
  );

  testWith('nginx')(
    `an upload that ends with a half-close is stored and answered by nginx behind a proxy (${choice.engine})`,
    async (t) => {
      t.timeout(patienceMs);
      const nginx = await startNginx(t);
      const ways: Way[] = [
        { name: 'straight', port: nginx.port },
        ...(await startWays(t, `127.0.0.1:${nginx.port}`, choice)),
        ...(await startWays(t, nginx.path, choice)),
      ];
      const body = randomBytes(3_000_017);
      const answers = [];
      for (const [index, way] of ways.entries()) {
        const socket = net.connect({
          ...(way.path === undefined ? { host: '127.0.0.1', port: way.port } : { path: way.path }),
          allowHalfOpen: true,
        });
        t.teardown(() => socket.destroy());
        await once(socket, 'connect');
        const head = [
          `PUT /half-${index} HTTP/1.1`,
          'Host: nginx.example',
          `Content-Length: ${body.length}`,
          'Connection: close',
          '',
          '',
        ];
        socket.write(head.join('\r\n'));
        socket.end(body);
        const { bytes, error } = await collectUntilClose(socket);
        t.is(error, undefined, way.name);
        answers.push(dropDates(bytes).replaceAll(/half-\d/g, 'half'));
        t.is(answers.at(-1), answers[0], way.name);
        sameBytes(t, readFileSync(join(nginx.root, `half-${index}`)), body);
      }
      t.regex(answers[0]!, /^HTTP\/1\.1 201 /);
    },
  );
}
