// A page of an application: uses every type of the client. The test compiles this file where the packages are installed.
import { connect, SluiceError } from '@sluice/client';
import type {
  ConnectOptions,
  Gap,
  SluiceClient,
  SluiceErrorCode,
  SluiceErrorLike,
  SluiceEvent,
  Start,
  Status,
  SubscribeOptions,
  Subscription,
  TokenReason,
} from '@sluice/client';

const tokens: Record<TokenReason, string> = { start: 'first', expiring: 'next', refused: 'other' };
const statuses: Status[] = [];
const options: ConnectOptions = {
  getToken: (reason) => Promise.resolve(tokens[reason]),
  withCredentials: true,
  share: 'user-7',
  persist: 'orders',
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
  onError: (error: SluiceErrorLike) => codes.push(error.code),
};

export async function follow(url: string): Promise<string[]> {
  const client: SluiceClient = connect(new URL(url), options);
  const subscription: Subscription = client.subscribe('orders.42', subscribing);
  const seen: string[] = [];
  try {
    for await (const event of subscription) seen.push(event.data, subscription.position ?? 'none');
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    codes.push(error.code);
    seen.push(String(error.status));
  }
  client.close();
  return seen;
}

// @ts-expect-error The id of an event is a string.
export const wrong: number = ({} as SluiceEvent).id;
