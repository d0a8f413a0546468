// A page of an application: uses every type of the client. The test compiles this file where the packages are installed.
import { connect, iterate, keepPositions, shareTabs } from '@sluice/client';
import type {
  ConnectOptions,
  EventIteration,
  Gap,
  PositionStore,
  Sharing,
  SluiceClient,
  SluiceError,
  SluiceErrorCode,
  SluiceEvent,
  Start,
  Status,
  SubscribeOptions,
  Subscription,
  TokenReason,
} from '@sluice/client';

const tokens: Record<TokenReason, string> = { start: 'first', expiring: 'next', refused: 'other' };
const sharing: Sharing = shareTabs({ group: 'user-7' });
const store: PositionStore = keepPositions('orders');
const statuses: Status[] = [];
const options: ConnectOptions = {
  getToken: (reason) => Promise.resolve(tokens[reason]),
  withCredentials: true,
  share: sharing,
  keep: store,
  onStatus: (status) => statuses.push(status),
  onClosing: (reason: string) => void reason,
  fetch: (input, init) => fetch(input, init),
};
const start: Start = { last: 10 };
const gaps: Gap[] = [];
const codes: SluiceErrorCode[] = [];
const subscribing: SubscribeOptions = {
  ...start,
  onEvent: ({ channel, id, event, data }: SluiceEvent) => void `${channel} ${id} ${event} ${data}`,
  onGap: (gap) => gaps.push(gap),
  onReady: (position: string) => void position,
  onEnd: () => undefined,
  onError: (error: SluiceError) => codes.push(error.code),
  onClose: () => undefined,
};

export async function follow(url: string): Promise<string[]> {
  const client: SluiceClient = connect(new URL(url), options);
  const subscription: Subscription = client.subscribe('orders.42', subscribing);
  subscription.pause();
  subscription.resume();
  const events: EventIteration = iterate(client, 'orders.43', start);
  const seen: string[] = [subscription.channel];
  try {
    for await (const event of events) seen.push(event.data, events.position ?? 'none');
  } catch (error) {
    const { code, status } = error as SluiceError;
    codes.push(code);
    seen.push(String(status));
  }
  client.close();
  return seen;
}

// @ts-expect-error The id of an event is a string.
export const wrong: number = ({} as SluiceEvent).id;
