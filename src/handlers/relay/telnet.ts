import type { Connection } from '../../net/connection.ts';
import { localEndOf } from '../../net/local-end.ts';
import type { TelnetEvent } from '../../protocol/telnet/codec-options.ts';
import { telnetOptions, type TelnetCommand } from '../../protocol/telnet/codes.ts';
import { TelnetCodec } from '../../protocol/telnet/telnet-codec.ts';
import { TelnetStreams } from '../../transform/telnet-streams.ts';

/** What is typed for the commands that telnet(1) has in place of keys: those of every terminal's line discipline. */
const keys: Readonly<Partial<Record<TelnetCommand, number>>> = {
  ip: 0x03,
  brk: 0x03,
  eof: 0x04,
  el: 0x15,
  susp: 0x1a,
  abort: 0x1c,
  ec: 0x7f,
};

/**
 * Makes the proxy a telnet server for a client: its terminal echoes and takes each key, and the client is asked for
 * the size of its window, which becomes that of the target's terminal whenever it is told. A client that knows no
 * telnet is served too: nothing is waited for.
 */
export function createTelnet(client: Connection, target: Connection): TelnetStreams {
  const codec = new TelnetCodec({ role: 'server', newline: 'cr', lineFeed: 'down' });
  const resize = localEndOf(target)?.resize;
  const onEvent = (event: TelnetEvent) => {
    if (event.type === 'window-size') {
      // 0 is "as you like".
      if (event.columns > 0 && event.rows > 0) resize?.(event.columns, event.rows);
    } else if (event.type === 'command') {
      const key = keys[event.command];
      if (key !== undefined) streams.decoder.push(Buffer.of(key));
      else if (event.command === 'ayt') streams.send(Buffer.from('\r\n[Yes]\r\n'));
    }
  };
  const streams = new TelnetStreams({ codec, peer: client, isInteractive: true, onEvent });
  const offers = [
    codec.enable('local', telnetOptions.echo),
    codec.enable('local', telnetOptions['suppress-go-ahead']),
    codec.enable('remote', telnetOptions['window-size']),
  ];
  streams.encoder.push(Buffer.concat(offers));
  return streams;
}
