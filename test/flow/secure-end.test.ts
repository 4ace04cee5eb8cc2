import { once } from 'node:events';
import test from 'ava';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { findSinkDescriptor, findSourceDescriptor } from '../../src/flow/splice-end.ts';
import { connect } from '../../src/net/index.ts';
import { listen, targetOf } from '../helpers/net/sockets.ts';
import { Server } from '../../src/net/index.ts';

const addon = loadNativeAddon();
const testNative = addon ? test : test.skip;
if (!addon) console.log('skipped: there is no native addon here');

testNative('the descriptor of a socket that TLS has taken over is never carried', async (t) => {
  const server = await listen(t, new Server());
  const socket = connect(targetOf(server) as never);
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  t.not(findSourceDescriptor(addon!, socket), undefined);
  socket.on('error', () => undefined).setSecure();
  t.is(findSourceDescriptor(addon!, socket), undefined);
  t.is(findSinkDescriptor(addon!, socket), undefined);
});
