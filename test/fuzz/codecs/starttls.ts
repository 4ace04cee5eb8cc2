import { createStarttls, starttlsProtocols } from '../../../src/protocol/starttls/create-starttls.ts';
import { MESSAGE_LIMIT_BYTES, type StarttlsProtocol } from '../../../src/protocol/starttls/dialogue.ts';
import { checkBuffered, describeError, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const TLS = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";

/** What servers say, in one piece: ready, refused, and with surplus bytes. */
export const serverTalk: Record<StarttlsProtocol, Buffer[]> = {
  smtp: [
    '220-mail\r\n220 ready\r\n250-mail\r\n250-SIZE 1\r\n250-STARTTLS\r\n250 HELP\r\n220 go\r\n',
    '220 x\n250-x\n250 SIZE\n',
    '220 x\r\n250 starttls\r\n454 4.7.0 TLS not available\r\n',
    '220 x\r\n250 STARTTLS\r\n220 go\r\nEHLO injected\r\n',
    '554 go away\r\n',
  ].map(latin1),
  imap: [
    '* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n* 3 EXISTS\r\nt1 OK begin\r\n',
    '* PREAUTH welcome\r\n',
    '* OK x\r\nt1 BAD no\r\n',
    '* OK x\r\nt1 OK x\r\n* injected\r\n',
  ].map(latin1),
  pop3: [
    '+OK ready\r\n+OK begin\r\n',
    '-ERR busy\r\n',
    '+OK x\r\n-ERR no TLS\r\n',
    '+OK\r\n+OK\r\n+OK\r\n',
  ].map(latin1),
  ftp: [
    '120 wait\r\n220-welcome\r\n anything\r\n2200 x\r\n220 ready\r\n234 go\r\n',
    '421 too many\r\n',
    '220 x\r\n502 unknown\r\n',
    '220 x\r\n234 go\r\n230 injected\r\n',
  ].map(latin1),
  postgres: [
    latin1('S'),
    latin1('N'),
    Buffer.concat([hex('45 00000017'), latin1('SFATAL\0Mtoo many\0\0\0')]),
    latin1('SE'),
  ],
  ldap: [
    hex('300c 020101 7807 0a0100 0400 0400'),
    hex('3084 00000010 020101 7884 00000007 0a0100 0400 0400'),
    hex('3013 020101 780e 0a0102 0400 0407 6e6f20746c7321'),
    hex('300c 020100 7807 0a0134 0400 0400'),
    hex('300c 020101 7807 0a0100 0400 0400 30'),
  ],
  xmpp: [
    `<?xml version='1.0'?><stream:stream from='x' id='>' version='1.0'><stream:features><starttls ${TLS}><required/></starttls><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features><proceed ${TLS}/>`,
    `<stream:stream>\n<stream:features><starttls ${TLS}/></stream:features><proceed ${TLS}></proceed>`,
    '<stream:stream><stream:features/>',
    `<stream:stream><features><starttls ${TLS}/></features><failure ${TLS}/></stream:stream>`,
    '<stream:stream><stream:error><host-unknown/></stream:error>',
    `<s:stream><s:features><starttls ${TLS}/></s:features><proceed ${TLS}/> `,
  ].map(latin1),
  mysql: [
    Buffer.concat([
      hex('4a000000 0a'),
      latin1('8.0.36\0'),
      hex('0b000000 4141414141414141 00 ffff'),
      Buffer.alloc(51),
    ]),
    Buffer.concat([
      hex('18000000 0a'),
      latin1('5.0\0'),
      hex('0b000000 4141414141414141 00 fff7'),
      Buffer.alloc(4),
    ]),
    Buffer.concat([hex('0d000000 ff 1004'), latin1('#08004Full')]),
  ],
};

function run(protocol: StarttlsProtocol, chunks: readonly Buffer[]): unknown {
  const dialogue = createStarttls(protocol, { host: 'example.com' });
  const sends: Buffer[] = [dialogue.start()];
  let isReady = false;
  for (const chunk of chunks) {
    try {
      const { send, ready } = dialogue.receive(chunk);
      if (send) sends.push(send);
      isReady = ready ?? false;
    } catch (error) {
      return { error: describeError(error) };
    }
    checkBuffered(dialogue.bufferedBytes, MESSAGE_LIMIT_BYTES + chunk.length);
  }
  return { sends: Buffer.concat(sends).toString(), isReady };
}

const endless = [Buffer.alloc(MESSAGE_LIMIT_BYTES + 100, 42), latin1('* x\r\n'.repeat(300))];

export const starttlsTargets: CodecTarget[] = starttlsProtocols.map((protocol) => ({
  name: `starttls-${protocol}`,
  seeds: [...serverTalk[protocol], ...endless],
  run: (chunks) => run(protocol, chunks),
}));
