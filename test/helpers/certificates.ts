import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key: the files, and what is in them. */
export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A small authority made for one test file. */
export interface Authority {
  readonly caFile: string;
  readonly ca: Buffer;
  /** Issues a certificate for the names, such as `DNS:localhost,IP:127.0.0.1`. `days` below zero has expired. */
  readonly issue: (name: string, names: string, days?: number) => Pair;
  /** Issues a certificate that holds from 2099 on. */
  readonly issueFuture: (name: string, names: string) => Pair;
  /** A certificate that nobody vouches for. */
  readonly selfSign: (name: string, names: string) => Pair;
  /** Removes everything. */
  readonly remove: () => void;
}

/** Makes an authority with openssl(1), in a temporary folder. */
export function createAuthority(): Authority {
  const dir = mkdtempSync(join(tmpdir(), 'tnet-ca-'));
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const pair = (name: string): Pair => {
    const certFile = join(dir, `${name}.pem`);
    const keyFile = join(dir, `${name}.key`);
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  };
  const selfSign = (name: string, names: string): Pair => {
    const extension = names === '' ? [] : ['-addext', `subjectAltName=${names}`];
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      ...extension,
    );
    return pair(name);
  };
  const request = (name: string, names: string) => {
    writeFileSync(join(dir, `${name}.ext`), `subjectAltName=${names}\n`);
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  };
  const authority = selfSign('ca', '');
  return {
    caFile: authority.certFile,
    ca: authority.cert,
    selfSign,
    issue(name, names, days = 30) {
      request(name, names);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        '-days',
        String(days),
        '-extfile',
        `${name}.ext`,
      );
      return pair(name);
    },
    issueFuture(name, names) {
      request(name, names);
      // x509 -req takes a first day only from OpenSSL 3.4 on.
      writeFileSync(join(dir, 'index.txt'), '');
      writeFileSync(join(dir, 'serial'), '2099\n');
      const settings =
        'database=index.txt\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n';
      writeFileSync(join(dir, 'ca.cnf'), `[ca]\ndefault_ca=own\n[own]\n${settings}`);
      const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
      const time = ['-startdate', '20990101000000Z', '-enddate', '20990201000000Z'];
      const signer = ['-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
      openssl('ca', '-batch', '-notext', ...signer, ...time, ...files);
      return pair(name);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
