import type { UIMessage } from 'ai';

/** A message of the chat. The metadata of an answer say how the answer ended. */
export type ChatMessage = UIMessage<{ readonly stopped?: boolean; readonly failure?: string }>;

/** What the backend tells a page about its chat. */
export interface ChatState {
  /** Everything said so far. An answer is in here as soon as it has ended. */
  readonly messages: ChatMessage[];
  /** The id of the newest answer; `none` before the first one. */
  readonly answer: string;
  /** Whether the newest answer is still being written. */
  readonly running: boolean;
  /** The address of the broker. */
  readonly broker: string;
  /** Lets the page subscribe to the channels of this chat, and publish to the channels `stops.<chat>.*` only. */
  readonly token: string;
}
