/**
 * What becomes of a shell block of a document. `run` names the test file that runs it, `skip` says why no test can,
 * and `text` says what the block is instead of shell. (Give such a block a fence with its language, and it needs no
 * entry.)
 */
type Use = { readonly run: string } | { readonly skip: string } | { readonly text: string };

const run = (file: string): Use => ({ run: `test/${file}.test.ts` });
const recipes = run('integration/recipes');
const operations = run('integration/operations-lines');
const proxies = run('edges/proxy-lines');

const docker: Use = { skip: 'needs Docker' };
const kubernetes: Use = { skip: 'needs Kubernetes' };
const hours: Use = { skip: 'loads the machine for many minutes' };
const suite: Use = { skip: 'runs the tests, of which this is one' };
const later: Use = { skip: 'no test runs it yet' };

const environment: Use = { text: 'variables' };

/**
 * Every block of every document that may be shell (see shellBlocks), by a text that no block with another
 * use has. test/unit/document-shell.test.ts fails for a block without an entry.
 */
export const DOCUMENT_LINES: Readonly<Record<string, Readonly<Record<string, Use>>>> = {
  'README.md': {
    'npm ci && npm start': later,
    'curl -N http://localhost:3000/events/news': later,
    '-d hello http://localhost:3000/publish/news': later,
    'mkdir -p data': later,
    'npm test': suite,
    'orders.42?event=created': later,
    'Idempotency-Key: order-42-created': later,
    'An answer comes word by word': later,
    'npm pack': later,
    'npx sluice help': later,
    'docker build': docker,
    'openssl rand': later,
    '/tokens': later,
    'docker-compose.disk.yml': docker,
    'docker compose up': docker,
    'PORT=3001': later,
  },
  'client/README.md': {
    'npm pack --workspace @sluice/client': later,
  },
  'docs/cli.md': {
    'sluice serve': later,
  },
  'docs/compared.md': {
    'npm run torture': hours,
  },
  'docs/operations.md': {
    'subscribers?sub=7': operations,
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
    'https://model.example/answer': later,
  },
  'docs/proxies.md': {
    'URL=http': proxies,
    'data: hello': proxies,
    'events/proxy-quiet': proxies,
    'proxy-upload?each=line': proxies,
    'curl -sSi': proxies,
  },
  'docs/recipes.md': {
    'URL=http': recipes,
    'channel=chat.7': recipes,
    '$URL/publish/chat.7': recipes,
    '"user.3"': recipes,
    '"channels":"*"': recipes,
    '[{"channel":"orders.42"': recipes,
    'application/x-ndjson': recipes,
    'import-1': recipes,
    'seq 1 50000': recipes,
    'do date': recipes,
    'events/answer.1?last_event_id=earliest': recipes,
    'An answer comes word by word': recipes,
    'publish/answer.2': recipes,
    'only=active': recipes,
    'game.8': recipes,
    DELETE: recipes,
    ifLast: recipes,
    'If-Match': recipes,
    '"key":"SLU","data"': recipes,
    'events/prices?state': recipes,
    '"delete":true': recipes,
    'channels/prices/state': recipes,
    'orders.42/events?after=earliest': recipes,
    'wait=20s': recipes,
    'plain&last_event_id': recipes,
    '?prefix=orders.': recipes,
    'busiest=20': recipes,
    'last=1&wait=10s': later,
    'mkdir -p data': later,
    'VACUUM INTO': later,
    'SLUICE_CHANNELS=': later,
  },
  'docs/reliability.md': {
    'npm run torture': hours,
  },
  'docs/scaling.md': {
    'npm run model': hours,
  },
  'examples/README.md': {
    'export SLUICE_KEY': later,
  },
  'examples/ai-answer/README.md': {
    'npm run example:ai': later,
    SLUICE_JWT_SECRET: environment,
  },
  'helm/sluice/README.md': {
    'registry.example.com/sluice': kubernetes,
  },
};
