import { useChat } from '@ai-sdk/react';
import { connect } from '@sluice/client';
import { DefaultChatTransport } from 'ai';
import { useEffect, useRef, useState } from 'react';
import type { SubmitEvent } from 'react';
import { createRoot } from 'react-dom/client';
import type { ChatMessage, ChatState } from './chat-state.ts';

/** In ms, before the page tries again what has failed. The time is random, so that all pages do not come back together. */
const retryDelay = (): number => 500 + Math.random() * 1_000;

const chatId = location.pathname.split('/').at(-1) ?? '';
const api = `/api/chats/${chatId}`;

/** Asks the backend for the messages, the newest answer, and a fresh token. */
async function loadChat(): Promise<ChatState> {
  const response = await fetch(api);
  if (!response.ok) throw new Error(`The backend answered with ${response.status}.`);
  return (await response.json()) as ChatState;
}

/** Where the newest answer is read: from its first event on. The broker answers with 204 when the answer has ended. */
function answerRequest({ broker, answer, token }: ChatState): {
  api: string;
  headers: { authorization: string };
} {
  return {
    api: `${broker}/events/answers.${chatId}.${answer}?plain&last_event_id=earliest&only=active`,
    headers: { authorization: `Bearer ${token}` },
  };
}

/** Firefox would hold a stream back while another tab reads the same answer, because of its cache. */
const fetchUncached = (url: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
  fetch(url, { ...init, cache: 'no-store' });

function createTransport(onNothingActive: () => void): DefaultChatTransport<ChatMessage> {
  return new DefaultChatTransport({
    api,
    prepareReconnectToStreamRequest: async () => answerRequest(await loadChat()),
    prepareSendMessagesRequest: ({ messages }) => {
      const { id, parts } = messages.at(-1) as ChatMessage;
      return { body: { id, text: parts.map((part) => (part.type === 'text' ? part.text : '')).join('') } };
    },
    fetch: async (input, init) => {
      let response = await fetchUncached(input, init);
      if (init?.method === 'POST' && response.ok) {
        // The backend has started an answer. Who has sent the message follows the answer in the same way as everybody else.
        const { api: url, headers } = answerRequest((await response.json()) as ChatState);
        response = await fetchUncached(url, { headers, signal: init.signal ?? null });
      }
      if (response.status === 204) onNothingActive();
      return response;
    },
  });
}

/** The chat, in step with the backend and with all other pages that show the same chat. */
function useLiveChat(initial: ChatState) {
  const answer = useRef(initial.answer);
  const isBusy = useRef(false);
  const latestFollow = useRef(() => {});
  const followSoon = (): unknown => setTimeout(() => latestFollow.current(), retryDelay());
  // When the answer has ended in the meantime, the backend has all of it.
  const [transport] = useState(() => createTransport(followSoon));
  const chat = useChat<ChatMessage>({
    id: chatId,
    messages: initial.messages,
    resume: true,
    transport,
    // The connection was lost, or the model has failed.
    onError: () => followSoon(),
    onFinish: ({ isAbort, isError }) => {
      if (!isAbort && !isError) latestFollow.current();
    },
  });
  isBusy.current = chat.status === 'submitted' || chat.status === 'streaming';

  /** Shows what the backend knows, and follows the newest answer while it is being written. */
  async function follow(): Promise<void> {
    const state = await loadChat();
    answer.current = state.answer;
    // At the end of the answer that the page reads now, follow() is called again.
    if (isBusy.current) return;
    // The backend does not have the newest answer yet. What the page has of it stays, until the page has read it again.
    const isNewest = ({ id }: ChatMessage): boolean => state.running && id === state.answer;
    chat.setMessages((shown) => [...state.messages, ...shown.filter(isNewest)]);
    if (state.running) await chat.resumeStream();
    else chat.clearError();
  }
  latestFollow.current = () => void follow().catch(followSoon);

  useEffect(() => {
    const changed = (): void => latestFollow.current();
    const client = connect(initial.broker, { getToken: async () => (await loadChat()).token });
    client.subscribe(`chats.${chatId}`, { onEvent: changed, onReady: changed, onGap: changed });
    return () => client.close();
  }, [initial.broker]);

  /** Tells the backend to stop the model. Any page of the chat may do so. */
  async function stop(): Promise<void> {
    const { broker, answer: id, token } = await loadChat();
    const response = await fetch(`${broker}/publish/stops.${chatId}.${id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: 'stop',
    });
    if (!response.ok) throw new Error(`The broker answered with ${response.status}.`);
  }

  return { ...chat, isBusy: isBusy.current, stop };
}

function Message({ message, isWriting }: { message: ChatMessage; isWriting: boolean }) {
  const { role, parts, metadata } = message;
  return (
    <li className={isWriting ? `${role} writing` : role}>
      {parts.map((part) => (part.type === 'text' ? part.text : ''))}
      {metadata?.stopped === true && <span className="note">Stopped.</span>}
      {metadata?.failure !== undefined && <span role="alert">The answer broke off. {metadata.failure}</span>}
    </li>
  );
}

function Chat({ initial }: { initial: ChatState }) {
  const { messages, sendMessage, status, isBusy, stop } = useLiveChat(initial);
  const [input, setInput] = useState('');
  useEffect(() => {
    scrollTo(0, document.body.scrollHeight);
  }, [messages]);

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    if (isBusy || input.trim() === '') return;
    void sendMessage({ text: input });
    setInput('');
  }

  return (
    <main>
      <header>
        <h1>An answer that survives</h1>
        <p>Reload this page in the middle of an answer, or open its address in a second window.</p>
      </header>
      <ol>
        {messages.map((message, i) => (
          <Message key={message.id} message={message} isWriting={isBusy && i === messages.length - 1} />
        ))}
        {status === 'error' && <li className="note">Connecting…</li>}
      </ol>
      <form onSubmit={submit}>
        <input
          aria-label="Message"
          placeholder="Ask something"
          value={input}
          onChange={({ target }) => setInput(target.value)}
        />
        {isBusy ? (
          <button type="button" className="stop" onClick={() => void stop().catch(alert)}>
            Stop
          </button>
        ) : (
          <button disabled={input.trim() === ''}>Send</button>
        )}
      </form>
    </main>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<Chat initial={await loadChat()} />);
