import type { Withdraw } from './channel-context.ts';
import type { SharedPage } from './shared-page.ts';
import type { StateWalk } from './state-walk.ts';

/** The next step of a subscription that catches up. */
export type SubscriptionStep =
  /** Turn the start into a position. */
  | { readonly do: 'begin' }
  /** Go live, or read on from the position. */
  | { readonly do: 'advance' }
  /** Wait for the log's answer. */
  | { readonly do: 'await-log'; readonly withdraw: Withdraw }
  /** Write the page that the log has given. */
  | { readonly do: 'deliver'; readonly page: SharedPage }
  /** Write the next part of the channel's state, once the log has given it. */
  | { readonly do: 'write-state'; readonly walk: StateWalk }
  /** Does the same as `advance`, once the channel has read the log. */
  | { readonly do: 'advance-checked' }
  /** Does the same as `advance`, after the log has returned no events after the position. */
  | { readonly do: 'advance-from-end' };

export const BEGIN: SubscriptionStep = { do: 'begin' };
export const ADVANCE: SubscriptionStep = { do: 'advance' };
export const ADVANCE_CHECKED: SubscriptionStep = { do: 'advance-checked' };
export const ADVANCE_FROM_END: SubscriptionStep = { do: 'advance-from-end' };
