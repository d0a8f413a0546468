export { connect } from './client.ts';
export { iterate } from './iterate.ts';
export { keepPositions } from './keep-positions.ts';
export { shareTabs } from './shared-connection.ts';
export type {
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
} from './types.ts';
