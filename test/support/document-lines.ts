/**
 * What becomes of a shell block of a document. `run` names the test file that runs it, `skip` says why no test can,
 * and `text` says what the block is instead of shell. (Give such a block a fence with its language, and it needs no
 * entry.)
 */
type Use = { readonly run: string } | { readonly skip: string } | { readonly text: string };

const run = (file: string): Use => ({ run: `test/${file}.test.ts` });
const readme = run('integration/readme');
const recipes = run('integration/recipes');
const pages = run('browser/example-pages');
const exports = run('browser/example-export-chat');
const aiAnswer = run('browser/ai-answer');
const contract = run('integration/contract-lines');
const packages = run('package/packages');
const operations = run('integration/operations-lines');
const proxies = run('edges/proxy-lines');

const docker: Use = { skip: 'needs Docker' };
const kubernetes: Use = { skip: 'needs Kubernetes' };
const hours: Use = { skip: 'loads the machine for many minutes' };

/**
 * Every block of every document that may be shell (see shellBlocks), by a text that no block with another
 * use has. test/unit/document-shell.test.ts fails for a block without an entry.
 */
export const DOCUMENT_LINES: Readonly<Record<string, Readonly<Record<string, Use>>>> = {
  'README.md': {
    'npm ci && npm start': readme,
    'curl -N http://localhost:3000/events/news': readme,
    '-d hello http://localhost:3000/publish/news': readme,
    'orders.42?event=created': readme,
    'Idempotency-Key: created-42': readme,
    'npm pack': packages,
    'npx sluice subscribe': packages,
    'docker compose up': docker,
  },
  'client/README.md': {
    'npm pack --workspace @sluice/client': packages,
  },
  'docs/cli.md': {
    'sluice serve': readme,
    'sluice subscribe news': readme,
    'sluice publish news': readme,
  },
  'docs/compared.md': {
    'npm run torture': hours,
  },
  'docs/operations.md': {
    'mkdir -p data': operations,
    'sqlite3 data/sluice.db': operations,
    'docker compose -f docker-compose.disk.yml exec': docker,
    'mkdir restored': operations,
    'examples/move-channels.mjs': operations,
  },
  'docs/performance.md': {
    'npm run bench': hours,
  },
  'docs/protocol.md': {
    'https://model.example/answer': contract,
  },
  'docs/proxies.md': {
    'URL=http': proxies,
    'data: hello': proxies,
    'events/proxy-quiet': proxies,
    'proxy-upload?each=line': proxies,
    'curl -sSi': proxies,
  },
  'docs/recipes.md': {
    'mkdir -p data': recipes,
    'URL=http': recipes,
    '"user.1","user.2"': recipes,
    '"channels":"*"': recipes,
    'channel=orders.42&channel=chat.7': recipes,
    'hello $URL/publish/chat.7': recipes,
    '"orders.2"': recipes,
    'application/x-ndjson': recipes,
    'import-1': recipes,
    'tail -n 0': recipes,
    'orders-db-': recipes,
    ifLast: recipes,
    'If-Match': recipes,
    'publish/game.7': recipes,
    'channels/game.7': recipes,
    'answer.1?last_event_id': recipes,
    'An answer comes word by word': recipes,
    'event: token': recipes,
    'only=active': recipes,
    'event=failed': recipes,
    '{"sub":"7","subscribe"': recipes,
    'Cookie: sluice_token': recipes,
    '"key":"ICE","delete":true': recipes,
    'channels/prices/state': recipes,
    'events/prices?state': recipes,
    'after=earliest': recipes,
    'events?wait=20s': recipes,
    'last=1&wait=10s': recipes,
    'subscribers?sub=7': recipes,
    'busiest=20': recipes,
    '"revoke":true': recipes,
    'demo-key,new-key': recipes,
    'Bearer new-key': recipes,
    '"cursor.*"': recipes,
    'channels/chat.7': recipes,
    'PORT=3001': recipes,
    'PORT=3002': recipes,
    'localhost:3001': recipes,
    'localhost:3002': recipes,
    'docker-compose.disk.yml': docker,
    'docker build': docker,
  },
  'docs/reliability.md': {
    '--system sluice': hours,
    '--gap-event': contract,
  },
  'docs/scaling.md': {
    'npm run model': hours,
  },
  'examples/README.md': {
    'export SLUICE_KEY': readme,
  },
  'examples/ai-answer/README.md': { 'npm run example ai-answer': aiAnswer },
  'examples/chat/README.md': { 'npm run example chat': exports },
  'examples/dashboard/README.md': { 'npm run example dashboard': pages },
  'examples/file-export/README.md': { 'npm run example file-export': exports },
  'examples/iot-board/README.md': { 'npm run example iot-board': pages },
  'examples/notifications/README.md': { 'npm run example notifications': pages },
  'examples/smallest/README.md': { 'npm run example smallest': exports },
  'helm/sluice/README.md': {
    'registry.example.com/sluice': kubernetes,
  },
};
