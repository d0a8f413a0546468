import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { SLUICE_URL, SLUICE_KEY, PORT } = process.env;
const page = readFileSync(`${import.meta.dirname}/page.html`, 'utf8').replaceAll('{broker}', SLUICE_URL);
const send = (_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
createServer(send).listen(PORT, 'localhost');

const headers = { authorization: `Bearer ${SLUICE_KEY}` };
const publish = (body) => fetch(`${SLUICE_URL}/publish/clock`, { method: 'POST', headers, body });
const check = async (answer) => answer.ok || console.error(answer.status, await answer.text());
setInterval(() => void publish(new Date().toLocaleTimeString()).then(check).catch(console.error), 1_000);
