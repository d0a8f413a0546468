import { connect, keepPositions, shareTabs } from '../../client/src/index.ts';
import type { SluiceClient } from '../../client/src/index.ts';
import type { Heard, Wish } from '../support/client-pages.ts';

interface Page {
  heard: { -readonly [name in keyof Heard]: Heard[name] };
  follow(wish: Wish): void;
  client: SluiceClient | undefined;
}

const page = globalThis as unknown as Page;
const heard: Page['heard'] = {
  data: {},
  ready: [],
  ended: [],
  gaps: 0,
  errors: [],
  statuses: [],
  tokenReasons: [],
  restored: 0,
};
page.heard = heard;
addEventListener('pageshow', ({ persisted }) => (heard.restored += Number(persisted)));

/** Follows channels with the client of the page, and notes what it gets. */
page.follow = ({ url, channels, start, options: { share, keep } = {}, tokens }) => {
  page.client ??= connect(url, {
    ...(share !== undefined && { share: shareTabs({ group: share }) }),
    ...(keep !== undefined && { keep: keepPositions(keep) }),
    onStatus: (status) => heard.statuses.push(status),
    ...(tokens !== undefined && {
      getToken: async (reason) => {
        heard.tokenReasons.push(reason);
        const response = await fetch(tokens);
        if (!response.ok) throw new Error('no token');
        return await response.text();
      },
    }),
  });
  for (const channel of channels) {
    const list = (heard.data[channel] ??= []);
    page.client.subscribe(channel, {
      ...start,
      onEvent: ({ data }) => list.push(data),
      onReady: () => heard.ready.push(channel),
      onEnd: () => heard.ended.push(channel),
      onGap: () => heard.gaps++,
      onError: ({ code }) => heard.errors.push(`${channel}: ${code}`),
    });
  }
};
