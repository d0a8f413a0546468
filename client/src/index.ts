export { connect } from './client.ts';
export { SluiceError } from './sluice-error.ts';
export type {
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
} from './types.ts';
