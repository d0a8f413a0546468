// Stands for the proxies between a broker and a browser: it closes an answer that was silent for 10 s. Real ones wait longer.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream';
import { SLUICE_URL } from '../example-backend.mjs';

const SILENCE_MS = 10_000;

/** Starts a proxy in front of the broker, and returns its URL. */
export async function startProxy() {
  const { request: send } = SLUICE_URL.startsWith('https:') ? https : http;
  const proxy = http.createServer((request, response) => {
    const { method, url } = request;
    const headers = { ...request.headers, host: new URL(SLUICE_URL).host };
    const forwarded = send(SLUICE_URL + url, { method, headers }, (answer) => {
      answer.setTimeout(SILENCE_MS, () => answer.destroy());
      response.writeHead(answer.statusCode, answer.headers);
      pipeline(answer, response, () => undefined);
    });
    forwarded.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on('close', () => forwarded.destroy());
    request.pipe(forwarded);
  });
  proxy.listen(0, 'localhost');
  await once(proxy, 'listening');
  return `http://localhost:${proxy.address().port}`;
}
