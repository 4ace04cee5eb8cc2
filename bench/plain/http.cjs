// An HTTP server that answers each request with one byte, on the connections of node:net, or of the module named.
// node http.cjs PORT [MODULE [OPTION]]
const http = require('node:http');

const [port, from = 'node:net', option] = process.argv.slice(2);
const net = require(from);
const web = http.createServer((request, response) => {
  request.resume();
  response.end('x');
});
const options = { allowHalfOpen: true, noDelay: true, ...(option && { [option]: true }) };
const server = net.createServer(options, (socket) => web.emit('connection', socket));
server.listen(Number(port), '127.0.0.1');
