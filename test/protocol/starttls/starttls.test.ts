import test from 'ava';
import { createStarttls, starttlsProtocols } from '../../../src/protocol/starttls/create-starttls.ts';
import {
  MESSAGE_COUNT_LIMIT,
  MESSAGE_LIMIT_BYTES,
  type StarttlsProtocol,
} from '../../../src/protocol/starttls/dialogue.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';
import { serverTalk } from '../../fuzz/codecs/starttls.ts';

const TLS = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";
const xmppHeader =
  "<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/** What each side says, in turn; the server's last word makes it ready. */
const dialogues: Record<StarttlsProtocol, { first: Buffer; talk: [server: Buffer, answer: Buffer][] }> = {
  smtp: {
    first: latin1(''),
    talk: [
      [latin1('220 mail.example ESMTP\r\n'), latin1('EHLO localhost\r\n')],
      [
        latin1('250-mail.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n'),
        latin1('STARTTLS\r\n'),
      ],
      [latin1('220 2.0.0 Ready to start TLS\r\n'), latin1('')],
    ],
  },
  imap: {
    first: latin1(''),
    talk: [
      [latin1('* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n'), latin1('t1 STARTTLS\r\n')],
      [latin1('* CAPABILITY x\r\nt1 OK Begin TLS\r\n'), latin1('')],
    ],
  },
  pop3: {
    first: latin1(''),
    talk: [
      [latin1('+OK ready\r\n'), latin1('STLS\r\n')],
      [latin1('+OK Begin TLS\r\n'), latin1('')],
    ],
  },
  ftp: {
    first: latin1(''),
    talk: [
      [latin1('220-Welcome\r\n to\r\n220 ftp\r\n'), latin1('AUTH TLS\r\n')],
      [latin1('234 Proceed\r\n'), latin1('')],
    ],
  },
  postgres: { first: hex('00000008 04d2162f'), talk: [[latin1('S'), latin1('')]] },
  ldap: {
    first: hex('301d 020101 7718 8016 312e332e362e312e342e312e313436362e3230303337'),
    talk: [[hex('300c 020101 7807 0a0100 0400 0400'), latin1('')]],
  },
  xmpp: {
    first: latin1(xmppHeader),
    talk: [
      [latin1(`<?xml version='1.0'?><stream:stream id='a>b' from='x'>`), latin1('')],
      [
        latin1(`<stream:features><starttls ${TLS}><required/></starttls></stream:features>`),
        latin1(`<starttls ${TLS}/>`),
      ],
      [latin1(`<proceed ${TLS}/>`), latin1('')],
    ],
  },
  mysql: {
    first: latin1(''),
    talk: [[serverTalk.mysql[0]!, hex(`20000001 018a0800 00000001 2d ${'00'.repeat(23)}`)]],
  },
};

for (const protocol of starttlsProtocols) {
  const { first, talk } = dialogues[protocol];
  test(`${protocol} comes to TLS, byte for byte`, (t) => {
    const dialogue = createStarttls(protocol, { host: 'example.com' });
    t.deepEqual(dialogue.start(), first);
    for (const [index, [server, answer]] of talk.entries()) {
      const step = dialogue.receive(server);
      t.deepEqual(step.send ?? latin1(''), answer);
      t.is(step.ready ?? false, index === talk.length - 1);
    }
  });

  test(`${protocol} refuses plain bytes behind the consent, in the same chunk or later`, (t) => {
    const surplus = { name: 'ProtocolError', code: 'TNET_E_PROTOCOL' };
    const whole = Buffer.concat(talk.map(([server]) => server));
    const together = t.throws(() => {
      createStarttls(protocol, { host: 'example.com' }).receive(Buffer.concat([whole, latin1('x')]));
    }, surplus);
    const dialogue = createStarttls(protocol, { host: 'example.com' });
    t.true(dialogue.receive(whole).ready);
    t.true(dialogue.receive(latin1('')).ready);
    const later = t.throws(() => dialogue.receive(latin1('x')), surplus);
    t.like(
      [together, later],
      [
        { reason: 'surplus-bytes', protocol },
        { reason: 'surplus-bytes', protocol },
      ],
    );
  });
}

const refusals: [
  protocol: StarttlsProtocol,
  talk: Buffer,
  reason: string,
  message: string,
  status?: number,
][] = [
  ['smtp', latin1('554 no\r\n'), 'refused', 'the server does not start TLS: 554 no', 554],
  [
    'smtp',
    latin1('220 x\r\n250-x\r\n250 SIZE\r\n'),
    'not-offered',
    'the server does not offer TLS on this port',
  ],
  ['smtp', latin1('220 x\r\n250 STARTTLSX\r\n'), 'not-offered', 'the server does not offer TLS on this port'],
  [
    'smtp',
    latin1('220 x\r\n250 STARTTLS\r\n454 4.7.0 \x1b[2Jlater\r\n'),
    'refused',
    'the server does not start TLS: 454 4.7.0 [2Jlater',
    454,
  ],
  ['imap', latin1('* PREAUTH hello\r\n'), 'refused', 'the server does not start TLS: * PREAUTH hello'],
  ['imap', latin1('* OK x\r\nt1 NO not now\r\n'), 'refused', 'the server does not start TLS: t1 NO not now'],
  ['imap', latin1('* OK x\r\n* BYE idle\r\n'), 'refused', 'the server does not start TLS: * BYE idle'],
  ['pop3', latin1('+OK x\r\n-ERR unknown\r\n'), 'refused', 'the server does not start TLS: -ERR unknown'],
  ['ftp', latin1('220 x\r\n534 policy\r\n'), 'refused', 'the server does not start TLS: 534 policy', 534],
  ['postgres', latin1('N'), 'not-offered', 'the server does not offer TLS on this port'],
  ['postgres', serverTalk.postgres[2]!, 'refused', 'the server does not start TLS: too many'],
  [
    'ldap',
    hex('3013 020101 780e 0a0102 0400 0407 6e6f20746c7321'),
    'refused',
    'the server does not start TLS: no tls!',
    2,
  ],
  [
    'ldap',
    hex('300c 020100 7807 0a0134 0400 0400'),
    'refused',
    'the server does not start TLS: result 52',
    52,
  ],
  [
    'xmpp',
    latin1('<stream:stream><stream:features/>'),
    'not-offered',
    'the server does not offer TLS on this port',
  ],
  [
    'xmpp',
    latin1("<stream:stream><stream:features><starttls xmlns='x'/></stream:features>"),
    'not-offered',
    'the server does not offer TLS on this port',
  ],
  [
    'xmpp',
    latin1('<stream:stream><stream:error><host-unknown/>'),
    'refused',
    'the server does not start TLS: host-unknown',
  ],
  [
    'xmpp',
    latin1(`<stream:stream><features><starttls ${TLS}/></features><failure ${TLS}/>`),
    'refused',
    'the server does not start TLS: failure',
  ],
  ['mysql', serverTalk.mysql[1]!, 'not-offered', 'the server does not offer TLS on this port'],
  ['mysql', serverTalk.mysql[2]!, 'refused', 'the server does not start TLS: Full', 1040],
];

for (const [protocol, talk, reason, message, status] of refusals) {
  test(`${protocol}: ${JSON.stringify(talk.toString('latin1'))} is a refusal in the server's words`, (t) => {
    const error = t.throws(() => createStarttls(protocol, { host: 'x' }).receive(talk));
    t.like(error, { code: 'TNET_E_PROTOCOL_REFUSED', protocol, reason, message, status });
  });
}

const violations: [protocol: StarttlsProtocol, talk: Buffer][] = [
  ['smtp', latin1('SSH-2.0-x\r\n')],
  ['smtp', latin1('220-x\r\n250 y\r\n')],
  ['smtp', latin1('2200 x\r\n')],
  ['imap', latin1('+OK x\r\n')],
  ['imap', latin1('* OK x\r\nt2 OK x\r\n')],
  ['pop3', latin1('220 x\r\n')],
  ['ftp', latin1('hello\r\n')],
  ['postgres', latin1('H')],
  ['ldap', hex('48')],
  ['ldap', hex('3080')],
  ['ldap', hex('3003 020101')],
  ['xmpp', latin1('<html>')],
  ['xmpp', latin1('<!DOCTYPE x>')],
  ['xmpp', latin1('<stream:stream><message>')],
  ['mysql', hex('01000001')],
  ['mysql', hex('05000000 0900000000')],
];

for (const [protocol, talk] of violations) {
  test(`${protocol}: ${JSON.stringify(talk.toString('latin1'))} breaks the protocol`, (t) => {
    const error = t.throws(() => createStarttls(protocol, { host: 'x' }).receive(talk));
    t.like(error, { code: 'TNET_E_PROTOCOL', protocol, reason: 'unexpected' });
  });
}

const limits: [protocol: StarttlsProtocol, talk: Buffer, reason: string][] = [
  ['smtp', Buffer.alloc(MESSAGE_LIMIT_BYTES, 50), 'message-too-long'],
  ['imap', latin1(`* OK x\r\n${'* x\r\n'.repeat(MESSAGE_COUNT_LIMIT)}`), 'too-many-messages'],
  ['postgres', hex('45 00010000'), 'message-too-long'],
  ['ldap', hex('3082 ffff'), 'message-too-long'],
  ['xmpp', Buffer.alloc(MESSAGE_LIMIT_BYTES, 32), 'message-too-long'],
  ['mysql', hex('ffffff00'), 'message-too-long'],
];

for (const [protocol, talk, reason] of limits) {
  test(`${protocol}: endless talk ends at a limit (${reason})`, (t) => {
    const error = t.throws(() => createStarttls(protocol, { host: 'x' }).receive(talk));
    t.like(error, { code: 'TNET_E_PROTOCOL_LIMIT', protocol, reason });
  });
}

test('the SMTP client calls itself what it is told to, and nothing that breaks the line', (t) => {
  const dialogue = createStarttls('smtp', { host: 'x', clientName: 'me.example' });
  t.deepEqual(dialogue.receive(latin1('220 x\r\n')).send, latin1('EHLO me.example\r\n'));
  const refused = { code: 'TNET_E_PROTOCOL_INPUT' };
  t.throws(() => createStarttls('smtp', { host: 'x', clientName: 'a\r\nQUIT' }), refused);
  t.throws(() => createStarttls('xmpp', { host: 'a\nb' }), refused);
});

test('the XMPP host is escaped', (t) => {
  const first = createStarttls('xmpp', { host: `a'<&>"` }).start().toString();
  t.true(first.includes("to='a&apos;&lt;&amp;&gt;&quot;'"));
});
